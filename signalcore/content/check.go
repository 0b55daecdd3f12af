package content

import "signalbox/signalcore/protocol/serviceid"

// Origin is what the receiver knows of a content from outside of it.
type Origin struct {
	// Self is this account's ACI.
	Self serviceid.ServiceID
	// Sender is who sent it, as the envelope or, better, the sealed sender's certificate says.
	Sender serviceid.ServiceID
	// Timestamp is the envelope's, on the sender's clock.
	Timestamp uint64
	// Plaintext is set for an envelope that was not encrypted.
	Plaintext bool
}

// Check tells whether a parsed content may come from there. It must pass before anything of it, its effects included,
// is applied: only our own devices may send sync messages, only retry requests may come unencrypted, and a message
// bears the timestamp of its envelope (Signal-Android EnvelopeContentValidator). Its error is *InvalidError.
func (p *Parsed) Check(from Origin) error {
	if from.Plaintext {
		return p.checkPlaintext()
	}
	if p.Kind == KindSync && from.Sender != from.Self {
		return invalid("sync message", "it comes from another account")
	}
	switch p.Kind {
	case KindSync, KindUnknown, KindControl:
		return nil
	}
	if p.Timestamp != 0 && p.Timestamp != from.Timestamp {
		return invalid(string(p.Kind), "its timestamp is not that of its envelope")
	}
	return nil
}

func (p *Parsed) checkPlaintext() error {
	e := p.Effects
	if p.Kind != KindControl || e.DecryptionError == nil || e.EndSession || e.ProfileKey != nil ||
		e.PNISignature != nil || e.SenderKeyDistribution != nil {
		return invalid("plaintext message", "it is no retry request")
	}
	return nil
}
