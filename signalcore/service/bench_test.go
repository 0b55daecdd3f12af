//go:build unix

package service_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/service"
	"signalbox/signalcore/service/servicetest"
)

// cpu is the processor time of this process so far.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkRequests is one request after the other against the mock servers, which bound it.
func BenchmarkRequests(b *testing.B) {
	for _, version := range servicetest.Versions {
		b.Run("mock-server-"+version, func(b *testing.B) {
			d := linkDevice(b, servicetest.StartMock(b, version), service.Options{})
			before := cpu(b)
			for b.Loop() {
				_, err := d.socket.WhoAmI(testContext(b))
				require.NoError(b, err)
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// BenchmarkReceive drains a queue.
func BenchmarkReceive(b *testing.B) {
	for _, version := range servicetest.Versions {
		b.Run("mock-server-"+version, func(b *testing.B) {
			mock := servicetest.StartMock(b, version)
			d := linkDevice(b, mock, service.Options{})
			require.NoError(b, d.socket.Close())
			b.ResetTimer()
			mock.Do("deliver", map[string]any{
				"deviceId": d.linked.DeviceID, "content": make([]byte, 1000), "count": b.N,
			}, nil)
			before := cpu(b)
			socket, err := d.link.OpenAuthenticated(testContext(b), d.credentials)
			require.NoError(b, err)
			for empty := false; !empty; {
				batch, err := socket.Receive(testContext(b), service.Limits{})
				require.NoError(b, err)
				require.NoError(b, socket.Acknowledge(testContext(b), batch.Envelopes))
				empty = batch.QueueEmpty
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
