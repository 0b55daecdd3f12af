package senderkey

import (
	"fmt"
	"io"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/sessionpb"
)

const (
	// messageVersion is the one that is spoken. It is in both halves of a message's first byte; the upper counts.
	messageVersion = 3
	versionByte    = messageVersion<<4 | messageVersion
)

// message is a parsed message to a group, its signature not yet verified.
type message struct {
	distributionID uuid.UUID
	chainID        uint32
	iteration      uint32
	ciphertext     []byte
	signed         []byte // all but the signature
	signature      []byte
}

// parseMessage keeps serialized, which must not change afterwards.
func parseMessage(serialized []byte) (message, error) {
	if len(serialized) < 1+curve.SignatureSize {
		return message{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(serialized))
	}
	end := len(serialized) - curve.SignatureSize
	var pb sessionpb.SenderKeyMessage
	if err := decode(serialized[:end], &pb); err != nil {
		return message{}, err
	}
	if pb.ChainId == nil || pb.Iteration == nil || pb.Ciphertext == nil {
		return message{}, fmt.Errorf("%w: field missing", ErrMalformed)
	}
	id, err := uuid.FromBytes(pb.GetDistributionUuid())
	if err != nil {
		return message{}, fmt.Errorf("%w: distribution id of %d bytes", ErrMalformed, len(pb.GetDistributionUuid()))
	}
	return message{
		distributionID: id, chainID: pb.GetChainId(), iteration: pb.GetIteration(), ciphertext: pb.Ciphertext,
		signed: serialized[:end], signature: serialized[end:],
	}, nil
}

// seal returns the message with its version and signature.
func (m message) seal(random io.Reader, key curve.PrivateKey) ([]byte, error) {
	pb := &sessionpb.SenderKeyMessage{
		DistributionUuid: m.distributionID[:], ChainId: &m.chainID, Iteration: &m.iteration, Ciphertext: m.ciphertext,
	}
	b, err := encode(pb)
	if err != nil {
		return nil, err
	}
	signature, err := key.Sign(random, b)
	if err != nil {
		return nil, fmt.Errorf("signing a group message: %w", err)
	}
	return append(b, signature[:]...), nil
}

// DistributionIDOf returns the distribution id of a message to a group, under which its sender's record is kept.
func DistributionIDOf(ciphertext []byte) (uuid.UUID, error) {
	m, err := parseMessage(ciphertext)
	return m.distributionID, err
}

// Distribution is what a distribution message says without its keys.
type Distribution struct {
	ID        uuid.UUID
	ChainID   uint32
	Iteration uint32 // of the first message that the key decrypts

	key     [32]byte
	signing curve.PublicKey
}

// ParseDistribution reads a distribution message.
func ParseDistribution(serialized []byte) (Distribution, error) {
	var pb sessionpb.SenderKeyDistributionMessage
	if err := decode(serialized, &pb); err != nil {
		return Distribution{}, err
	}
	if pb.ChainId == nil || pb.Iteration == nil || len(pb.ChainKey) != 32 {
		return Distribution{}, fmt.Errorf("%w: field missing", ErrMalformed)
	}
	id, err := uuid.FromBytes(pb.GetDistributionUuid())
	if err != nil {
		return Distribution{}, fmt.Errorf("%w: distribution id of %d bytes", ErrMalformed, len(pb.GetDistributionUuid()))
	}
	if len(pb.SigningKey) != curve.SerializedKeySize {
		return Distribution{}, fmt.Errorf("%w: signing key of %d bytes", ErrMalformed, len(pb.SigningKey))
	}
	signing, err := curve.ParsePublicKey(pb.SigningKey)
	if err != nil {
		return Distribution{}, fmt.Errorf("%w: signing key: %w", ErrMalformed, err)
	}
	return Distribution{
		ID: id, ChainID: pb.GetChainId(), Iteration: pb.GetIteration(), key: [32]byte(pb.ChainKey), signing: signing,
	}, nil
}

func (d Distribution) serialize() ([]byte, error) {
	return encode(&sessionpb.SenderKeyDistributionMessage{
		DistributionUuid: d.ID[:], ChainId: &d.ChainID, Iteration: &d.Iteration,
		ChainKey: d.key[:], SigningKey: d.signing.Serialize(),
	})
}

// Format keeps the key out of logs.
func (d Distribution) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "(distribution %s, chain %d from %d)", d.ID, d.ChainID, d.Iteration)
}

func decode(serialized []byte, pb proto.Message) error {
	if len(serialized) == 0 {
		return fmt.Errorf("%w: empty", ErrMalformed)
	}
	if serialized[0]>>4 != messageVersion {
		return fmt.Errorf("%w %d", ErrVersion, serialized[0]>>4)
	}
	if err := proto.Unmarshal(serialized[1:], pb); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

func encode(pb proto.Message) ([]byte, error) {
	options := proto.MarshalOptions{}
	b := append(make([]byte, 0, 1+options.Size(pb)+curve.SignatureSize), versionByte)
	b, err := options.MarshalAppend(b, pb)
	if err != nil {
		return nil, fmt.Errorf("serialising a group message: %w", err)
	}
	return b, nil
}
