package content

import (
	"github.com/google/uuid"

	"signalbox/signalcore/protocol/serviceid"
)

// parseID reads a service id that comes as text from older writers, as bytes from newer ones, or as both.
func parseID(text string, binary []byte) (serviceid.ServiceID, bool) {
	if id, err := serviceid.ParseBinary(binary); err == nil {
		return id, true
	}
	id, err := serviceid.Parse(text)
	return id, err == nil
}

// parseACI is parseID for fields that only an ACI may fill.
func parseACI(text string, binary []byte) (serviceid.ServiceID, bool) {
	id, ok := parseID(text, binary)
	if !ok || id.Kind != serviceid.ACI {
		return serviceid.ServiceID{}, false
	}
	return id, true
}

// parsePNI reads a PNI field, which holds a bare UUID, with or without its kind.
func parsePNI(text string, binary []byte) (serviceid.ServiceID, bool) {
	id, ok := parseID(text, binary)
	return serviceid.NewPNI(id.UUID), ok
}

// binaryACI returns the 16 bytes of an ACI field, nil for none.
func binaryACI(id serviceid.ServiceID) []byte {
	if id.IsZero() {
		return nil
	}
	return id.Binary()
}

func parseUUID(b []byte) (uuid.UUID, bool) {
	id, err := uuid.FromBytes(b)
	return id, err == nil && id != uuid.Nil
}
