package signalcore

import (
	"context"

	"signalbox/signalcore/signalpb/storepb"
)

// Settle returns once this device is fully reachable after linking: its one-time prekeys are with the service. The
// contacts' list follows while the daemon runs.
func (c *Client) Settle(ctx context.Context) error {
	if _, err := c.connector.line(ctx, linePatience); err != nil {
		return err
	}
	return c.upkeep.do(ctx, &storepb.Job{Kind: storepb.JobKind_JOB_PREKEY_CHECK})
}
