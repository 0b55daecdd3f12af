package zkgroup

import (
	"sync"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
)

// The keys of the first generation of credentials, which are algebraic MACs over points (eprint 2019/1416, section 3.1;
// libsignal rust/zkgroup/src/crypto/credentials.rs). Of those credentials, profile keys' are still issued. Later ones
// are in package zkcredential, with other generators and labels.

// maxMACAttributes is how many points a MAC can be over.
const maxMACAttributes = 6

// macGenerators are the constants of the scheme, named as in the paper.
type macGenerators struct {
	w, wPrime, x0, x1 ristretto.Point
	y                 [maxMACAttributes]ristretto.Point
	m                 [5]ristretto.Point
	v                 ristretto.Point
}

var macSystem = sync.OnceValue(func() *macGenerators {
	sho := newSHO("Signal_ZKGroup_20200424_Constant_Credentials_SystemParams_Generate", nil)
	g := &macGenerators{w: sho.Point(), wPrime: sho.Point(), x0: sho.Point(), x1: sho.Point()}
	for i := range 4 {
		g.y[i] = sho.Point()
	}
	for i := range 4 {
		g.m[i] = sho.Point()
	}
	g.v = sho.Point()
	_ = sho.Point() // z, of which nothing is made
	g.y[4], g.y[5], g.m[4] = sho.Point(), sho.Point(), sho.Point()
	return g
})

// macKeys is the secret key of one kind of credential.
type macKeys struct {
	w, wPrime ristretto.Scalar
	wPoint    ristretto.Point // w times its generator
	x0, x1    ristretto.Scalar
	y         []ristretto.Scalar
	public    macPublicKey
}

// macPublicKey is C_W and I of the paper.
type macPublicKey struct{ cw, i ristretto.Point }

// macShape says how many attributes a kind of credential has, and how many scalars its key stores for them: some keys
// store one that is not used.
type macShape struct{ attributes, stored int }

var (
	authShape        = macShape{3, 4}
	profileKeyShape  = macShape{4, 4}
	receiptShape     = macShape{2, 4}
	pniShape         = macShape{6, 6}
	expiringShape    = macShape{5, 5}
	authWithPNIShape = macShape{5, 5}
)

func generateMACKeys(sho *poksho.ShoHmacSha256, shape macShape) macKeys {
	k := macKeys{w: sho.Scalar()}
	k.wPoint = macSystem().w.Mul(k.w)
	k.wPrime, k.x0, k.x1 = sho.Scalar(), sho.Scalar(), sho.Scalar()
	for range shape.stored {
		k.y = append(k.y, sho.Scalar())
	}
	k.public = k.derivePublic(shape)
	return k
}

func (k macKeys) derivePublic(shape macShape) macPublicKey {
	g := macSystem()
	terms := []ristretto.Term{{Scalar: k.x0, Point: g.x0}, {Scalar: k.x1, Point: g.x1}}
	for i := range shape.attributes {
		terms = append(terms, ristretto.Term{Scalar: k.y[i], Point: g.y[i]})
	}
	return macPublicKey{cw: k.wPoint.Add(g.wPrime.Mul(k.wPrime)), i: g.v.Sub(ristretto.Sum(terms...))}
}

// Append appends the serialised key.
func (k macKeys) Append(out []byte) []byte {
	out = appendAll(out, k.w, k.wPrime, k.wPoint, k.x0, k.x1)
	for _, y := range k.y {
		out = y.Append(out)
	}
	return k.public.Append(out)
}

func (r *reader) macKeys(shape macShape) macKeys {
	k := macKeys{w: r.scalar(), wPrime: r.scalar(), wPoint: r.point(), x0: r.scalar(), x1: r.scalar()}
	for range shape.stored {
		k.y = append(k.y, r.scalar())
	}
	k.public = r.macPublicKey()
	if r.err != nil {
		return macKeys{}
	}
	public := k.derivePublic(shape)
	if !k.wPoint.Equal(macSystem().w.Mul(k.w)) || !public.cw.Equal(k.public.cw) || !public.i.Equal(k.public.i) {
		r.fail("public key of another secret key")
		return macKeys{}
	}
	return k
}

// Append appends the serialised key.
func (k macPublicKey) Append(out []byte) []byte { return appendAll(out, k.cw, k.i) }

func (r *reader) macPublicKey() macPublicKey { return macPublicKey{cw: r.point(), i: r.point()} }

// mac is a credential: the MAC over its attributes.
type mac struct {
	t    ristretto.Scalar
	u, v ristretto.Point
}

// sign returns the MAC over the points.
func (k macKeys) sign(points []ristretto.Point, sho *poksho.ShoHmacSha256) mac {
	c := mac{t: sho.Scalar(), u: sho.Point()}
	terms := []ristretto.Term{{Scalar: k.x0.Add(k.x1.Mul(c.t)), Point: c.u}}
	for i, point := range points {
		terms = append(terms, ristretto.Term{Scalar: k.y[i], Point: point})
	}
	c.v = k.wPoint.Add(ristretto.Sum(terms...))
	return c
}

// Append appends the serialised MAC.
func (c mac) Append(out []byte) []byte { return appendAll(out, c.t, c.u, c.v) }

func (r *reader) mac() mac { return mac{t: r.scalar(), u: r.point(), v: r.point()} }
