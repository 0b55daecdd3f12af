package model

import "signalbox/signalcore/protocol/serviceid"

// RecipientKind says how a recipient was named.
type RecipientKind int

const (
	// RecipientNumber is a phone number in E.164: Number is set.
	RecipientNumber RecipientKind = iota + 1
	// RecipientServiceID is an ACI or a PNI: ServiceID is set.
	RecipientServiceID
	// RecipientUsername is a username with its discriminator, without "u:": Username is set.
	RecipientUsername
	// RecipientSelf is this account ("Note to Self").
	RecipientSelf
)

// Recipient names one person, checked for form only: whether they exist is for the client to find out.
type Recipient struct {
	Kind      RecipientKind
	Number    string
	ServiceID serviceid.ServiceID
	Username  string
	// Text is the name as the request had it, for the failures of a reply.
	Text string
}

// Destination is where a send goes: recipients, or a group. Exactly one of the two is set.
type Destination struct {
	Recipients []Recipient
	// Group is the 32-byte group identifier.
	Group []byte
}
