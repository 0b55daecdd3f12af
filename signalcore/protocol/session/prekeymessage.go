package session

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/sessionpb"
)

// PreKeyMessage is a parsed message that opens a session, not yet proved authentic.
type PreKeyMessage struct {
	version         byte
	RegistrationID  uint32
	OneTimeID       *uint32 // nil where the bundle had no one-time prekey
	SignedID        uint32
	KyberID         uint32
	KyberCiphertext []byte
	BaseKey         curve.PublicKey
	Identity        curve.PublicKey
	Message         *Message
}

// ParsePreKeyMessage reads a message that opens a session. It keeps serialized, which must not change afterwards.
func ParsePreKeyMessage(serialized []byte) (*PreKeyMessage, error) {
	if len(serialized) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrMalformed)
	}
	if err := checkVersion(serialized[0]); err != nil {
		return nil, err
	}
	var pb sessionpb.PreKeySignalMessage
	if err := proto.Unmarshal(serialized[1:], &pb); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if pb.SignedPreKeyId == nil || pb.Message == nil || (pb.KyberPreKeyId == nil) != (pb.KyberCiphertext == nil) ||
		(pb.KyberCiphertext == nil && serialized[0]>>4 != preKyberVersion) {
		return nil, fmt.Errorf("%w: field missing", ErrMalformed)
	}
	base, err := curve.ParsePublicKey(pb.GetBaseKey())
	if err != nil {
		return nil, fmt.Errorf("%w: base key: %w", ErrMalformed, err)
	}
	identity, err := curve.ParsePublicKey(pb.GetIdentityKey())
	if err != nil {
		return nil, fmt.Errorf("%w: identity: %w", ErrMalformed, err)
	}
	message, err := ParseMessage(pb.GetMessage())
	if err != nil {
		return nil, err
	}
	return &PreKeyMessage{
		version:        serialized[0] >> 4,
		RegistrationID: pb.GetRegistrationId(), OneTimeID: pb.PreKeyId, SignedID: pb.GetSignedPreKeyId(),
		KyberID: pb.GetKyberPreKeyId(), KyberCiphertext: pb.GetKyberCiphertext(),
		BaseKey: base, Identity: identity, Message: message,
	}, nil
}

// serializePreKeyMessage wraps a message with what the recipient needs to open the session.
func serializePreKeyMessage(s *state, message []byte) ([]byte, error) {
	pb := &sessionpb.PreKeySignalMessage{
		PreKeyId:        s.pending.PreKeyId,
		BaseKey:         s.baseKey.Serialize(),
		IdentityKey:     s.localIdentity.Serialize(),
		Message:         message,
		RegistrationId:  &s.localRegistrationID,
		SignedPreKeyId:  &s.pending.SignedPreKeyId,
		KyberPreKeyId:   &s.pending.KyberPreKeyId,
		KyberCiphertext: s.pending.KyberCiphertext,
	}
	options := proto.MarshalOptions{}
	b := make([]byte, 1, 1+options.Size(pb))
	b[0] = version<<4 | version
	b, err := options.MarshalAppend(b, pb)
	if err != nil {
		return nil, fmt.Errorf("serialising a message: %w", err)
	}
	return b, nil
}
