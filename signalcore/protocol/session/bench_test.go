package session

import "testing"

// The benchmarks count what a caller does for each message: parse the record, work, and serialise the record.

func BenchmarkEncrypt(b *testing.B) {
	alice, bob := pair(b)
	say(alice, bob, "hello")
	say(bob, alice, "hello")
	benchmarkEncrypt(b, alice, bob)
}

func benchmarkEncrypt(b *testing.B, alice, bob *party) {
	stored, plaintext := alice.record.Serialize(), make([]byte, 160)
	b.ReportAllocs()
	for b.Loop() {
		record, err := ParseRecord(stored)
		if err != nil {
			b.Fatal(err)
		}
		out, err := Encrypt(alice.rand, record, alice.ends(bob.address), start, plaintext)
		if err != nil {
			b.Fatal(err)
		}
		stored = out.Record.Serialize()
	}
	b.ReportMetric(float64(len(stored)), "record-bytes")
}

func BenchmarkDecrypt(b *testing.B) {
	alice, bob := pair(b)
	say(alice, bob, "hello")
	say(bob, alice, "hello")
	var messages []sent
	for range 2000 {
		messages = append(messages, alice.encrypt(bob.address, string(make([]byte, 160))))
	}
	stored := bob.record.Serialize()
	first := stored
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(messages) {
			i, stored = 0, first
		}
		bob.record, _ = ParseRecord(stored)
		out, err := bob.try(alice.address, messages[i])
		if err != nil {
			b.Fatal(err)
		}
		stored = out.Record.Serialize()
		i++
	}
}

// BenchmarkPingPong is one message each way, both of which take a Diffie-Hellman step: four operations.
func BenchmarkPingPong(b *testing.B) {
	alice, bob := pair(b)
	say(alice, bob, "hello")
	stored := [2][]byte{alice.record.Serialize(), bob.record.Serialize()}
	parties := [2]*party{alice, bob}
	plaintext := make([]byte, 160)
	b.ReportAllocs()
	for b.Loop() {
		for i, from := range parties {
			to := parties[1-i]
			record, _ := ParseRecord(stored[i])
			out, err := Encrypt(from.rand, record, from.ends(to.address), start, plaintext)
			if err != nil {
				b.Fatal(err)
			}
			stored[i] = out.Record.Serialize()
			to.record, _ = ParseRecord(stored[1-i])
			got, err := to.try(from.address, sent{out.Type, out.Ciphertext})
			if err != nil {
				b.Fatal(err)
			}
			stored[1-i] = got.Record.Serialize()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/4, "µs/op-each")
}

// BenchmarkEncryptArchived has forty archived sessions in the record.
func BenchmarkEncryptArchived(b *testing.B) {
	alice, bob := newParty(b, 1), newParty(b, 2)
	for range MaxArchived + 1 {
		alice.open(bob.address, bob.bundle())
		say(alice, bob, "hello")
		say(bob, alice, "hello")
	}
	benchmarkEncrypt(b, alice, bob)
}

// BenchmarkOfficialLibrary is the official library's time for the same, measured in its own process.
func BenchmarkOfficialLibrary(b *testing.B) {
	p := startPeer(b)
	for _, pingPong := range []bool{false, true} {
		name := map[bool]string{false: "OneWay", true: "PingPong"}[pingPong]
		b.Run(name, func(b *testing.B) {
			r := p.must("time", fields{"count": b.N, "pingPong": pingPong})
			b.ReportMetric(r.Encrypt, "µs/encrypt")
			b.ReportMetric(r.Decrypt, "µs/decrypt")
		})
	}
}
