package content

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// EnvelopeSource returns who sent an envelope, as the service says: nobody for a sealed one.
func EnvelopeSource(e *servicepb.Envelope) (serviceid.ServiceID, bool) {
	return parseID(e.GetSourceServiceId(), e.GetSourceServiceIdBinary())
}

// EnvelopeDestination returns which identity of this account an envelope was sent to.
func EnvelopeDestination(e *servicepb.Envelope) (serviceid.ServiceID, bool) {
	return parseID(e.GetDestinationServiceId(), e.GetDestinationServiceIdBinary())
}

// EnvelopeUpdatedPNI returns the account's new PNI, which comes with a change of number.
func EnvelopeUpdatedPNI(e *servicepb.Envelope) (serviceid.ServiceID, bool) {
	return parsePNI(e.GetUpdatedPni(), e.GetUpdatedPniBinary())
}

// EnvelopeGUID returns the identifier that the service gave an envelope.
func EnvelopeGUID(e *servicepb.Envelope) (uuid.UUID, bool) {
	if id, ok := parseUUID(e.GetServerGuidBinary()); ok {
		return id, true
	}
	id, err := uuid.Parse(e.GetServerGuid())
	return id, err == nil && id != uuid.Nil
}

// What an envelope's key was made from: its first byte.
const (
	keyOfGUID    byte = 1
	keyOfContent byte = 2
)

// EnvelopeKey returns what an envelope is remembered by, the same for each delivery of it: its GUID, or else a hash of
// everything that its sender has settled. The server's timestamp is not part of it.
func EnvelopeKey(e *servicepb.Envelope) []byte {
	if guid, ok := EnvelopeGUID(e); ok {
		return append([]byte{keyOfGUID}, guid[:]...)
	}
	h := sha256.New()
	source, _ := EnvelopeSource(e)
	destination, _ := EnvelopeDestination(e)
	hashNumbers(h, uint64(e.GetType()), uint64(e.GetSourceDeviceId()), e.GetClientTimestamp())
	hashBytes(h, source.Binary())
	hashBytes(h, destination.Binary())
	hashBytes(h, []byte(e.GetServerGuid()))
	hashBytes(h, e.GetContent())
	return h.Sum([]byte{keyOfContent})
}

func hashNumbers(h hash.Hash, numbers ...uint64) {
	for _, n := range numbers {
		h.Write(binary.BigEndian.AppendUint64(nil, n))
	}
}

func hashBytes(h hash.Hash, b []byte) {
	hashNumbers(h, uint64(len(b)))
	h.Write(b)
}
