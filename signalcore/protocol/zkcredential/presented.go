package zkcredential

import (
	"encoding/binary"
	"fmt"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
)

// attributeList is what both sides of a presentation have in common: the attributes, on the client's side plain and on
// the server's encrypted, and the keys they are encrypted with.
type attributeList struct {
	keys    []encryptionKey
	list    []presented
	values  []ristretto.Point // without the public attributes' point
	message []byte
	err     error
}

// encryptionKey names a domain, with the public key if the server is to know it.
type encryptionKey struct {
	id     string
	public *EncryptionPublicKey
}

// presented is an attribute by the number of its first point, and of its key: -1 for a revealed one, of one point.
type presented struct{ first, key int }

func (l *attributeList) encrypted(values Attribute, key encryptionKey) {
	l.list = append(l.list, presented{first: 1 + len(l.values), key: l.index(key)})
	l.values = append(l.values, values[:]...)
}

func (l *attributeList) revealed(value ristretto.Point) {
	l.list = append(l.list, presented{first: 1 + len(l.values), key: -1})
	l.values = append(l.values, value)
}

func (l *attributeList) index(key encryptionKey) int {
	for i, known := range l.keys {
		if known.id != key.id {
			continue
		}
		same := (known.public == nil) == (key.public == nil)
		if !same || (key.public != nil && !known.public.A.Equal(key.public.A)) {
			l.err = fmt.Errorf("%w: two keys of the domain %s", ErrArguments, key.id)
		}
		return i
	}
	l.keys = append(l.keys, key)
	return len(l.keys) - 1
}

// points returns all points, from that of the public attributes.
func (l *attributeList) points(public ristretto.Point) ([]ristretto.Point, error) {
	if l.err != nil {
		return nil, l.err
	}
	if n := 1 + len(l.values); n < 2 || n > maxPoints {
		return nil, fmt.Errorf("%w: %d points, with that of the public attributes", ErrArguments, n)
	}
	return append([]ristretto.Point{public}, l.values...), nil
}

// statement says that the credential is valid for the commitments (section 3.2 of the paper), and that the encrypted
// attributes are those of the commitments (section 4.1).
func (l *attributeList) statement() *poksho.Statement {
	st := new(poksho.Statement).
		Add("Z", product(nil, "z", "I")...).
		Add("C_x1", product(nil, "t", "C_x0", "z0", "G_x0", "z", "G_x1")...)
	var sum []poksho.Product
	for _, key := range l.keys {
		st.Add("0", product(nil, "z1_"+key.id, "I", "a1_"+key.id, "Z")...)
		if key.public != nil {
			sum = product(sum, "a1_"+key.id, "G_a1_"+key.id, "a2_"+key.id, "G_a2_"+key.id)
		}
	}
	if len(sum) > 0 {
		st.Add("sum(A)", sum...)
	}
	for _, a := range l.list {
		first, second := a.first, a.first+1
		if a.key < 0 {
			st.Add(name("C_y", first), product(nil, "z", name("G_y", first))...)
			continue
		}
		id := l.keys[a.key].id
		st.Add(name("E_A", first), product(nil, "a1_"+id, name("C_y", first), "z1_"+id, name("G_y", first))...)
		st.Add(difference(second), product(nil, "z", name("G_y", second), "a2_"+id, name("-E_A", first))...)
	}
	return st.Add("C_y0", product(nil, "z", "G_y0")...)
}

// difference names the point C_y - E_A of a second point.
func difference(n int) string { return name("C_y", n) + name("-E_A", n) }

// pointArgs has all points but those of encrypted attributes.
func (l *attributeList) pointArgs(i, z ristretto.Point, c *PresentationProof) poksho.Points {
	s := system()
	args := poksho.Points{"I": i, "Z": z, "C_x0": c.cX0, "C_x1": c.cX1, "G_x0": s.x0, "G_x1": s.x1, "C_y0": c.cY[0]}
	if len(l.keys) > 0 {
		args["0"] = ristretto.Point{}
	}
	var sum ristretto.Point
	for _, key := range l.keys {
		if key.public != nil {
			g := key.public.Domain.generators()
			args["G_a1_"+key.id], args["G_a2_"+key.id] = g[0], g[1]
			sum = sum.Add(key.public.A)
		}
	}
	// Keys that sum up to nothing prove nothing: without the argument, the statement is refused.
	if !sum.IsIdentity() {
		args["sum(A)"] = sum
	}
	for n, g := range s.y[:1+len(l.values)] {
		args[name("G_y", n)] = g
	}
	for _, a := range l.list {
		args[name("C_y", a.first)] = c.cY[a.first]
	}
	return args
}

// addEncrypted adds the points of the encrypted attributes, and returns those that the statement has only in part.
func (l *attributeList) addEncrypted(
	args poksho.Points, encrypted []ristretto.Point, c *PresentationProof,
) []ristretto.Point {
	var partly []ristretto.Point
	for _, a := range l.list {
		if a.key < 0 {
			continue
		}
		e1, e2, cY2 := encrypted[a.first], encrypted[a.first+1], c.cY[a.first+1]
		args[name("E_A", a.first)], args[name("-E_A", a.first)] = e1, e1.Neg()
		args[difference(a.first+1)] = cY2.Sub(e2)
		partly = append(partly, cY2, e2)
	}
	return partly
}

// associated returns the message that the proof is bound to: in the standard mode with the keys, and with the points
// that the statement has only in part.
func (l *attributeList) associated(mode Mode, points []ristretto.Point) []byte {
	if mode == Legacy {
		return l.message
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(l.message)))
	out = append(out, l.message...)
	for _, key := range l.keys {
		if key.public != nil {
			out = key.public.Append(out)
		}
	}
	for _, p := range points {
		out = p.Append(out)
	}
	if len(out) == 4 { // nothing but the length 0
		return nil
	}
	return out
}
