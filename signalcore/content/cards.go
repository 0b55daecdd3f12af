package content

import "signalbox/signalcore/signalpb/servicepb"

func (p *parser) cards(in []*servicepb.DataMessage_Contact) []ContactCard {
	var out []ContactCard
	for _, c := range first(in, maxCards) {
		card := ContactCard{
			Name: CardName{
				Given: cleanText(c.GetName().GetGivenName()), Family: cleanText(c.GetName().GetFamilyName()),
				Prefix: cleanText(c.GetName().GetPrefix()), Suffix: cleanText(c.GetName().GetSuffix()),
				Middle: cleanText(c.GetName().GetMiddleName()), Nickname: cleanText(c.GetName().GetNickname()),
			},
			Organization: cleanText(c.GetOrganization()),
			Avatar:       optionalAttachment(c.GetAvatar().GetAvatar()),
		}
		for _, n := range first(c.GetNumber(), maxCardParts) {
			card.Phones = append(card.Phones, CardEntry{
				Value: cleanText(n.GetValue()), Type: phoneTypes[n.GetType()], Label: cleanText(n.GetLabel()),
			})
		}
		for _, e := range first(c.GetEmail(), maxCardParts) {
			card.Emails = append(card.Emails, CardEntry{
				Value: cleanText(e.GetValue()), Type: emailTypes[e.GetType()], Label: cleanText(e.GetLabel()),
			})
		}
		for _, a := range first(c.GetAddress(), maxCardParts) {
			card.Addresses = append(card.Addresses, parseAddress(a))
		}
		out = append(out, card)
	}
	return out
}

func parseAddress(a *servicepb.DataMessage_Contact_PostalAddress) CardAddress {
	return CardAddress{
		Type: addressTypes[a.GetType()], Label: cleanText(a.GetLabel()), Street: cleanText(a.GetStreet()),
		POBox: cleanText(a.GetPobox()), Neighborhood: cleanText(a.GetNeighborhood()), City: cleanText(a.GetCity()),
		Region: cleanText(a.GetRegion()), Postcode: cleanText(a.GetPostcode()), Country: cleanText(a.GetCountry()),
	}
}

var (
	phoneTypes = map[servicepb.DataMessage_Contact_Phone_Type]string{
		servicepb.DataMessage_Contact_Phone_HOME:   "home",
		servicepb.DataMessage_Contact_Phone_MOBILE: "mobile",
		servicepb.DataMessage_Contact_Phone_WORK:   "work",
		servicepb.DataMessage_Contact_Phone_CUSTOM: "custom",
	}
	emailTypes = map[servicepb.DataMessage_Contact_Email_Type]string{
		servicepb.DataMessage_Contact_Email_HOME:   "home",
		servicepb.DataMessage_Contact_Email_MOBILE: "mobile",
		servicepb.DataMessage_Contact_Email_WORK:   "work",
		servicepb.DataMessage_Contact_Email_CUSTOM: "custom",
	}
	addressTypes = map[servicepb.DataMessage_Contact_PostalAddress_Type]string{
		servicepb.DataMessage_Contact_PostalAddress_HOME:   "home",
		servicepb.DataMessage_Contact_PostalAddress_WORK:   "work",
		servicepb.DataMessage_Contact_PostalAddress_CUSTOM: "custom",
	}
)
