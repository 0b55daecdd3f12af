package messenger

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// Who knows no more of an account than its phone number writes to its PNI. The account reads that with the PNI's identity
// and answers from its ACI, with a signature that shows that both are one, until it hears from there again.
//
// Sources: Signal-Android messages/MessageDecryptor (what comes to the PNI, unsealed alone) and recipients'
// needsPniSignature; libsignal rust/protocol identity_key (sign_alternate_identity).

// readsPNI tells whether the device has the PNI's identity.
func (m *Messenger) readsPNI() bool { return m.account.PNIIdentity.RegistrationID != 0 }

// prove notes what a message means for the proof that its sender needs: one who writes to the ACI has had it.
func (m *Messenger) prove(a *arrival) {
	if !a.toPNI {
		delete(m.unproven, a.from.ServiceID)
		return
	}
	trim(m.unproven, maxPeople)
	m.unproven[a.from.ServiceID] = true
}

// signed is a content for somebody, with the proof where that is needed.
func (m *Messenger) signed(to serviceid.ServiceID, c *servicepb.Content) (*servicepb.Content, error) {
	if !m.unproven[to] {
		return c, nil
	}
	private, aci := m.account.PNIIdentity.Keys.Private, m.account.Identity.Keys.Public
	signature, err := private.SignAlternateIdentity(m.world.Rand, aci)
	if err != nil {
		return nil, fmt.Errorf("sign for the PNI: %w", err)
	}
	out := proto.CloneOf(c)
	content.AddPNISignature(out, content.PNISignature{PNI: m.account.PNI, Signature: signature[:]})
	return out, nil
}
