package content

import "signalbox/signalcore/protocol/zkgroup"

// ID returns the 32-byte identifier of the group, by which requests and replies name it; nil if there is no master key.
func (g *Group) ID() []byte {
	key, err := zkgroup.ParseMasterKey(g.MasterKey)
	if err != nil {
		return nil
	}
	id := key.GroupID()
	return id[:]
}
