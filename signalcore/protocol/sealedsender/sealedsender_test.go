package sealedsender

import (
	"bytes"
	"crypto/rand"
	"errors"
	"math"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/sealedpb"
)

var later = time.UnixMilli(1_900_000_000_000)

// world is a service with one sender and one recipient.
type world struct {
	root, server, sender, recipient curve.KeyPair
	certificate                     *SenderCertificate
	receiver                        *Receiver
}

func newPair(t testing.TB) curve.KeyPair {
	pair, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	return pair
}

func newWorld(t testing.TB) *world {
	w := &world{root: newPair(t), server: newPair(t), sender: newPair(t), recipient: newPair(t)}
	w.certificate = w.certify(t, SenderDetails{
		Sender: address(1), E164: "+15550001111", IdentityKey: w.sender.Public, Expires: later,
	})
	w.receiver = &Receiver{
		Identity: w.recipient, Self: address(1), E164: "+15550002222", Trust: NewTrust(w.root.Public),
	}
	return w
}

func address(device uint32) serviceid.Address {
	return serviceid.Address{ServiceID: serviceid.NewACI(uuid.New()), DeviceID: device}
}

func (w *world) certify(t testing.TB, details SenderDetails) *SenderCertificate {
	server, err := NewServerCertificate(rand.Reader, w.root.Private, 1, w.server.Public)
	require.NoError(t, err)
	certificate, err := NewSenderCertificate(rand.Reader, details, server, w.server.Private)
	require.NoError(t, err)
	return certificate
}

func (w *world) content() Content {
	return Content{
		Type: Message, Certificate: w.certificate, Message: []byte("inner"), ContentHint: Resendable, GroupID: []byte("group"),
	}
}

// seal seals in both versions, as the recipient receives it.
func (w *world) seal(t testing.TB, content Content) map[string][]byte {
	v1, err := Encrypt(rand.Reader, w.sender, w.recipient.Public, content)
	require.NoError(t, err)
	recipient := Recipient{address(1).ServiceID, w.recipient.Public, []Device{{1, 7}}}
	sent, err := EncryptMulti(rand.Reader, w.sender, []Recipient{recipient}, nil, content)
	require.NoError(t, err)
	cut, err := ParseSent(sent)
	require.NoError(t, err)
	return map[string][]byte{"v1": v1, "v2": cut.For(cut.Recipients[0])}
}

func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	for _, content := range []Content{
		w.content(),
		{Type: PreKeyMessage, Certificate: w.certificate},
		{Type: SenderKeyMessage, Certificate: w.certificate, Message: make([]byte, 100_000), ContentHint: 77},
		{Type: PlaintextContent, Certificate: w.certificate, Message: []byte{}, ContentHint: Implicit},
	} {
		for version, sealed := range w.seal(t, content) {
			got, err := w.receiver.Open(sealed, later)
			require.NoError(t, err, version)
			require.Equal(t, content.Type, got.Type)
			require.True(t, bytes.Equal(content.Message, got.Message))
			require.Equal(t, content.ContentHint, got.ContentHint)
			require.Equal(t, content.GroupID, got.GroupID)
			require.Equal(t, w.certificate.Sender, got.Certificate.Sender)
			require.Equal(t, "+15550001111", got.Certificate.E164)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	w := newWorld(t)
	self := w.receiver.Self
	for name, c := range map[string]struct {
		change func(*Receiver, *Content)
		at     time.Time
		want   error
	}{
		"expired":         {func(*Receiver, *Content) {}, later.Add(time.Millisecond), ErrExpired},
		"not yet expired": {func(*Receiver, *Content) {}, later, nil},
		"other root":      {func(r *Receiver, _ *Content) { r.Trust = NewTrust(newPair(t).Public) }, later, ErrUntrusted},
		"self": {func(_ *Receiver, c *Content) {
			c.Certificate = w.certify(t, SenderDetails{self, "", w.sender.Public, later})
		}, later, ErrSelfSend},
		"self by number": {func(_ *Receiver, c *Content) {
			c.Certificate = w.certify(t, SenderDetails{address(self.DeviceID), w.receiver.E164, w.sender.Public, later})
		}, later, ErrSelfSend},
		"own other device": {func(_ *Receiver, c *Content) {
			other := serviceid.Address{ServiceID: self.ServiceID, DeviceID: 2}
			c.Certificate = w.certify(t, SenderDetails{other, w.receiver.E164, w.sender.Public, later})
		}, later, nil},
		"no numbers": {func(r *Receiver, c *Content) {
			r.E164 = ""
			c.Certificate = w.certify(t, SenderDetails{address(self.DeviceID), "", w.sender.Public, later})
		}, later, nil},
		"another's certificate": {func(_ *Receiver, c *Content) {
			c.Certificate = w.certify(t, SenderDetails{address(1), "", newPair(t).Public, later})
		}, later, ErrWrongSender},
		"another recipient": {func(r *Receiver, _ *Content) { r.Identity = newPair(t) }, later, ErrNotDecryptable},
	} {
		t.Run(name, func(t *testing.T) {
			receiver, content := *w.receiver, w.content()
			c.change(&receiver, &content)
			for version, sealed := range w.seal(t, content) {
				_, err := receiver.Open(sealed, c.at)
				require.ErrorIs(t, err, c.want, version)
				require.Equal(t, c.want != nil, errors.Is(err, ErrInvalid))
			}
		})
	}
}

func TestEveryChangeIsSeen(t *testing.T) {
	w := newWorld(t)
	for version, sealed := range w.seal(t, w.content()) {
		for at := range sealed {
			changed := bytes.Clone(sealed)
			changed[at] ^= 0x40
			_, err := w.receiver.Open(changed, later)
			require.ErrorIs(t, err, ErrInvalid, "%s, byte %d", version, at)
		}
		for length := range sealed {
			_, err := w.receiver.Open(sealed[:length], later)
			require.ErrorIs(t, err, ErrInvalid, "%s, %d bytes", version, length)
		}
	}
	_, err := w.receiver.Open([]byte{0x33, 1}, later)
	require.ErrorIs(t, err, ErrVersion)
	_, err = w.receiver.Open(nil, later)
	require.ErrorIs(t, err, ErrMalformed)
}

func TestTheSameRandomnessGivesTheSameBytes(t *testing.T) {
	w := newWorld(t)
	seal := func() []byte {
		sealed, err := Encrypt(mathrand.NewChaCha8([32]byte{1}), w.sender, w.recipient.Public, w.content())
		require.NoError(t, err)
		return sealed
	}
	require.Equal(t, seal(), seal())
	_, err := Encrypt(bytes.NewReader(nil), w.sender, w.recipient.Public, w.content())
	require.Error(t, err)
}

func TestUnsealable(t *testing.T) {
	w := newWorld(t)
	_, err := Encrypt(rand.Reader, w.sender, curve.PublicKey{}, w.content())
	require.ErrorIs(t, err, ErrRecipient)
	_, err = Encrypt(rand.Reader, w.sender, w.recipient.Public, Content{Type: Message})
	require.ErrorIs(t, err, ErrNoCertificate)
	for name, devices := range map[string][]Device{
		"none": nil, "device 0": {{0, 1}}, "device 128": {{128, 1}}, "registration id": {{1, 1 << 14}},
	} {
		recipients := []Recipient{{address(1).ServiceID, w.recipient.Public, devices}}
		_, err := EncryptMulti(rand.Reader, w.sender, recipients, nil, w.content())
		require.ErrorIs(t, err, ErrRecipient, name)
	}
	once := Recipient{address(1).ServiceID, w.recipient.Public, []Device{{1, 1}}}
	_, err = EncryptMulti(rand.Reader, w.sender, []Recipient{once, once}, nil, w.content())
	require.ErrorIs(t, err, ErrRecipient)
	_, err = EncryptMulti(rand.Reader, w.sender, []Recipient{once}, []serviceid.ServiceID{once.ServiceID}, w.content())
	require.ErrorIs(t, err, ErrRecipient)
}

func TestParseSentRefuses(t *testing.T) {
	w := newWorld(t)
	a, b := address(1).ServiceID, address(1).ServiceID
	recipient := Recipient{a, w.recipient.Public, []Device{{1, 7}, {2, 8}}}
	good, err := EncryptMulti(rand.Reader, w.sender, []Recipient{recipient}, []serviceid.ServiceID{b}, w.content())
	require.NoError(t, err)
	const recipientSize, excludedSize = 17 + 2*3 + v2PerRecipient, 17 + 1
	header, rest := 2, good[2+recipientSize+excludedSize:]
	one, none := good[header:header+recipientSize], good[header+recipientSize:len(good)-len(rest)]
	for length := range len(good) - len(rest) + curve.KeySize {
		_, err := ParseSent(good[:length])
		require.ErrorIs(t, err, ErrMalformed)
	}
	sent := func(parts ...[]byte) []byte {
		return concat([]byte{version2Service, byte(len(parts))}, concat(parts...), rest)
	}
	change := func(b []byte, at int, value byte) []byte {
		b = bytes.Clone(b)
		b[at] = value
		return b
	}
	emptyOne := append(bytes.Clone(one[:17]), 0)
	for name, c := range map[string]struct {
		sent []byte
		want error
	}{
		"version":             {change(good, 0, 0x11), ErrVersion},
		"kind of service id":  {sent(change(one, 0, 2)), ErrMalformed},
		"zero after a device": {sent(change(one, 20, 0)), ErrMalformed},
		"device 128":          {sent(change(one, 17, 128)), ErrMalformed},
		"excluded twice":      {sent(none, none), ErrMalformed},
		"recipient, excluded": {sent(one, emptyOne), ErrMalformed},
		"excluded, recipient": {sent(emptyOne, one), ErrMalformed},
		"more than there are": {concat([]byte{version2Service, 0xff, 0xff, 0xff, 0xff, 0x0f}, good[2:]), ErrMalformed},
		"an endless number":   {append([]byte{version2Service}, bytes.Repeat([]byte{0x80}, 20)...), ErrMalformed},
	} {
		_, err := ParseSent(c.sent)
		require.ErrorIs(t, err, c.want, name)
	}
	// Devices may come in parts, and the older version has ACIs without their kind.
	twice, err := ParseSent(sent(one, one))
	require.NoError(t, err)
	require.Equal(t, []Device{{1, 7}, {2, 8}, {1, 7}, {2, 8}}, twice.Recipients[0].Devices)
	old, err := ParseSent(concat([]byte{version2UUID, 1}, one[1:], rest))
	require.NoError(t, err)
	require.Equal(t, a, old.Recipients[0].ServiceID)
	content, err := w.receiver.Open(old.For(old.Recipients[0]), later)
	require.NoError(t, err)
	require.Equal(t, "inner", string(content.Message))
}

func FuzzParseSent(f *testing.F) {
	w := newWorld(f)
	recipients := []Recipient{{address(1).ServiceID, w.recipient.Public, []Device{{1, 7}, {2, 8}}}}
	sent, err := EncryptMulti(rand.Reader, w.sender, recipients, []serviceid.ServiceID{address(1).ServiceID}, w.content())
	require.NoError(f, err)
	f.Add(sent)
	f.Fuzz(func(t *testing.T, sent []byte) {
		parsed, err := ParseSent(sent)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		for _, r := range parsed.Recipients {
			require.NotEmpty(t, r.Devices)
			_, _ = w.receiver.Open(parsed.For(r), later)
		}
	})
}

func TestMalformedCertificatesAreRefused(t *testing.T) {
	w := newWorld(t)
	var outer sealedpb.SenderCertificate
	require.NoError(t, proto.Unmarshal(w.certificate.Serialize(), &outer))
	type inner = sealedpb.SenderCertificate_Certificate
	type uuidBytes = sealedpb.SenderCertificate_Certificate_UuidBytes
	type uuidString = sealedpb.SenderCertificate_Certificate_UuidString
	pni := serviceid.NewPNI(uuid.New()).String()
	for name, change := range map[string]func(*inner){
		"no device":  func(c *inner) { c.SenderDevice = nil },
		"device 128": func(c *inner) { c.SenderDevice = proto.Uint32(128) },
		"no expiry":  func(c *inner) { c.Expires = nil },
		"no key":     func(c *inner) { c.IdentityKey = nil },
		"no signer":  func(c *inner) { c.Signer = nil },
		"no sender":  func(c *inner) { c.Sender = nil },
		"number":     func(c *inner) { c.SenderE164 = proto.String("\xff") },
		"short UUID": func(c *inner) { c.Sender = &uuidBytes{UuidBytes: make([]byte, 15)} },
		"nil UUID":   func(c *inner) { c.Sender = &uuidBytes{UuidBytes: make([]byte, 16)} },
		"PNI":        func(c *inner) { c.Sender = &uuidString{UuidString: pni} },
		"not a UUID": func(c *inner) { c.Sender = &uuidString{UuidString: "x"} },
		"bad server": func(c *inner) { c.Signer = &sealedpb.SenderCertificate_Certificate_Certificate{Certificate: []byte{1}} },
		"server key": func(c *inner) { setServerKey(t, c) },
	} {
		t.Run(name, func(t *testing.T) {
			var inner sealedpb.SenderCertificate_Certificate
			require.NoError(t, proto.Unmarshal(outer.Certificate, &inner))
			change(&inner)
			certificate, err := proto.Marshal(&inner)
			require.NoError(t, err)
			serialized, err := proto.Marshal(&sealedpb.SenderCertificate{Certificate: certificate, Signature: outer.Signature})
			require.NoError(t, err)
			_, err = ParseSenderCertificate(serialized)
			require.ErrorIs(t, err, ErrMalformed)
		})
	}
	_, err := ParseSenderCertificate(nil)
	require.ErrorIs(t, err, ErrMalformed)
}

func setServerKey(t *testing.T, c *sealedpb.SenderCertificate_Certificate) {
	inner, err := proto.Marshal(&sealedpb.ServerCertificate_Certificate{Id: proto.Uint32(1), Key: []byte{5}})
	require.NoError(t, err)
	server, err := proto.Marshal(&sealedpb.ServerCertificate{Certificate: inner, Signature: []byte{1}})
	require.NoError(t, err)
	c.Signer = &sealedpb.SenderCertificate_Certificate_Certificate{Certificate: server}
}

func TestNeverExpires(t *testing.T) {
	w := newWorld(t)
	var inner sealedpb.SenderCertificate_Certificate
	require.NoError(t, proto.Unmarshal(w.certificate.certificate, &inner))
	inner.Expires = proto.Uint64(math.MaxUint64)
	certificate, err := proto.Marshal(&inner)
	require.NoError(t, err)
	signature, err := w.server.Private.Sign(rand.Reader, certificate)
	require.NoError(t, err)
	serialized, err := proto.Marshal(&sealedpb.SenderCertificate{Certificate: certificate, Signature: signature[:]})
	require.NoError(t, err)
	parsed, err := ParseSenderCertificate(serialized)
	require.NoError(t, err)
	require.NoError(t, parsed.Validate([]curve.PublicKey{w.root.Public}, time.UnixMilli(math.MaxInt64)))
}

func TestTrustRemembersWithinBounds(t *testing.T) {
	w := newWorld(t)
	trust := NewTrust(w.root.Public)
	for range maxServers + 1 {
		c := w.certify(t, SenderDetails{address(1), "", w.sender.Public, later})
		require.NoError(t, trust.Validate(c, later))
		require.NoError(t, trust.Validate(c, later))
		require.ErrorIs(t, trust.Validate(c, later.Add(time.Hour)), ErrExpired)

		tampered := *c
		tampered.serialized = append(bytes.Clone(c.serialized), 1)
		tampered.signature = make([]byte, len(c.signature))
		require.ErrorIs(t, trust.Validate(&tampered, later), ErrUntrusted)
	}
	require.LessOrEqual(t, len(trust.servers), maxServers)
	require.LessOrEqual(t, len(trust.senders), maxSenders)
	for i := range uint32(2 * maxSenders) {
		trust.remember(trust.senders, [32]byte{byte(i), byte(i >> 8)}, maxSenders)
	}
	require.LessOrEqual(t, len(trust.senders), maxSenders)
}

func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	for _, sealed := range w.seal(f, w.content()) {
		f.Add(sealed)
	}
	f.Fuzz(func(t *testing.T, sealed []byte) { _, _ = w.receiver.Open(sealed, later) })
}

func FuzzParseContent(f *testing.F) {
	w := newWorld(f)
	serialized, err := w.content().Serialize()
	require.NoError(f, err)
	f.Add(serialized)
	f.Add(w.certificate.Serialize())
	f.Fuzz(func(t *testing.T, serialized []byte) {
		if content, err := ParseContent(serialized); err == nil {
			again, err := content.Serialize()
			require.NoError(t, err)
			_, err = ParseContent(again)
			require.NoError(t, err)
			_ = content.Certificate.Validate([]curve.PublicKey{w.root.Public}, later)
		}
		if certificate, err := ParseSenderCertificate(serialized); err == nil {
			_ = w.receiver.Trust.Validate(certificate, later)
		}
		_, _ = ParseServerCertificate(serialized)
	})
}

func BenchmarkEncrypt(b *testing.B) {
	w := newWorld(b)
	content := w.content()
	content.Message = make([]byte, 500)
	for b.Loop() {
		_, err := Encrypt(rand.Reader, w.sender, w.recipient.Public, content)
		require.NoError(b, err)
	}
}

func BenchmarkOpen(b *testing.B) {
	w := newWorld(b)
	content := w.content()
	content.Message = make([]byte, 500)
	for version, sealed := range w.seal(b, content) {
		b.Run(version, func(b *testing.B) {
			for b.Loop() {
				_, err := w.receiver.Open(sealed, later)
				require.NoError(b, err)
			}
		})
		b.Run(version+" without certificate", func(b *testing.B) {
			for b.Loop() {
				_, err := Decrypt(w.recipient, sealed)
				require.NoError(b, err)
			}
		})
	}
}
