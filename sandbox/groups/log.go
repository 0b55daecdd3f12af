package groups

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

// logs is GroupsController.getGroupLogs: the changes from a revision on, in pages. Endorsements go with the last page,
// where members changed or those that the caller has are about to end.
func (s *Service) logs(c *caller) (*wire.Response, error) {
	cached, err := strconv.ParseInt(c.Header.Get("Cached-Send-Endorsements"), 10, 64)
	if err != nil {
		return nil, errBad
	}
	g, err := s.find(c)
	if err != nil {
		return nil, err
	}
	from, err := strconv.ParseUint(c.Values["from"], 10, 31)
	if err != nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	first := int(from)
	m := c.memberOf(g.state())
	if m == nil || uint64(m.GetJoinedAtVersion()) > from {
		return nil, errForbidden
	}
	if first >= len(g.log) {
		return wire.Proto(http.StatusOK, &servicepb.GroupChanges{})
	}
	last := min(len(g.log), first+pageSize(c.Query))
	page := &servicepb.GroupChanges{GroupChanges: g.entries(first, last, c.Query)}
	if last < len(g.log) {
		response, err := wire.Proto(http.StatusPartialContent, page)
		if err == nil {
			response.Header.Set("Content-Range", fmt.Sprintf("versions %d-%d/%d", first, last-1, len(g.log)-1))
		}
		return response, err
	}
	stale := time.Unix(cached, 0).Sub(s.options.Now()) < minEndorsements
	if stale || g.membersChanged(first) {
		if page.GroupSendEndorsementsResponse, err = s.endorsements(c, g.state()); err != nil {
			return nil, err
		}
	}
	return wire.Proto(http.StatusOK, page)
}

func pageSize(query url.Values) int {
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil {
		return logPage
	}
	return max(1, min(limit, logPage))
}

// entries are the revisions of a page. States go with those that were asked for, and with changes that the caller is too
// old to understand.
func (g *group) entries(first, last int, query url.Values) []*servicepb.GroupChanges_GroupChangeState {
	epoch, err := strconv.ParseUint(query.Get("maxSupportedChangeEpoch"), 10, 32)
	knowsAll := err == nil
	var out []*servicepb.GroupChanges_GroupChangeState
	for i := first; i < last; i++ {
		entry := &servicepb.GroupChanges_GroupChangeState{GroupChange: g.log[i].change}
		asked := i == first && query.Get("includeFirstState") == "true" ||
			i == last-1 && query.Get("includeLastState") == "true"
		if asked || !knowsAll || uint64(g.log[i].change.GetChangeEpoch()) > epoch {
			entry.GroupState = g.log[i].state
		}
		out = append(out, entry)
	}
	return out
}

// membersChanged is GroupsController.hasAnyMembershipChanges, from a revision on.
func (g *group) membersChanged(first int) bool {
	for _, r := range g.log[first:] {
		var a actions
		if proto.Unmarshal(r.change.GetActions(), &a) != nil {
			return true
		}
		if len(a.GetAddMembers())+len(a.GetDeleteMembers())+len(a.GetPromoteMembersPendingProfileKey())+
			len(a.GetPromoteMembersPendingAdminApproval())+len(a.GetPromoteMembersPendingPniAciProfileKey()) > 0 {
			return true
		}
	}
	return false
}
