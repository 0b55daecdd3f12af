package service

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/signalcore/signalpb/servicepb"
)

// maxLogEntries bounds a page of the log; the service sends 64 at most.
const maxLogEntries = 256

// GroupLogOptions say what goes with the changes.
type GroupLogOptions struct {
	IncludeFirst bool // the state of the first revision
	IncludeLast  bool // the state of the last revision
	// EndorsementsExpiry is that of the endorsements we have; the service adds new ones to the last page where they
	// near their end or members changed. Zero asks for them in any case, which whoever reads a second page must do.
	EndorsementsExpiry time.Time
}

// GroupLogPage is a part of a group's log. Where there is More, the next page starts at Next.
type GroupLogPage struct {
	Changes         *servicepb.GroupChanges
	More            bool
	Next            uint32 // with More
	CurrentRevision uint32 // with More
}

// GroupLog fetches the changes from a revision on, that one included (GET /v2/groups/logs/{from}). ErrNotInGroup also
// says that we joined after that revision.
func (g *Groups) GroupLog(
	ctx context.Context, auth GroupAuth, from uint32, options GroupLogOptions,
) (*GroupLogPage, error) {
	expiry := int64(0)
	if !options.EndorsementsExpiry.IsZero() {
		expiry = options.EndorsementsExpiry.Unix()
	}
	request := &Request{
		Method: http.MethodGet,
		Path: fmt.Sprintf("%s/logs/%d?maxSupportedChangeEpoch=%d&includeFirstState=%t&includeLastState=%t",
			pathGroups, from, ChangeEpoch, options.IncludeFirst, options.IncludeLast),
		Header: http.Header{"Cached-Send-Endorsements": {strconv.FormatInt(expiry, 10)}},
	}
	response, err := g.do(ctx, auth, request)
	if err != nil {
		return nil, err
	}
	return parseLogPage(response, from)
}

func parseLogPage(response *Response, from uint32) (*GroupLogPage, error) {
	page := &GroupLogPage{Changes: &servicepb.GroupChanges{}}
	if err := decodeProto(response.Body, page.Changes); err != nil {
		return nil, err
	}
	if n := len(page.Changes.GetGroupChanges()); n > maxLogEntries {
		return nil, fmt.Errorf("%w: a page of %d group changes", ErrProtocol, n)
	}
	if response.Status != http.StatusPartialContent {
		return page, nil
	}
	last, current, err := versionsRange(response.Header.Get("Content-Range"))
	if err != nil {
		return nil, err
	}
	if last < from || last >= current {
		return nil, fmt.Errorf("%w: a part of a group's log that does not go on", ErrProtocol)
	}
	page.More, page.Next, page.CurrentRevision = true, last+1, current
	return page, nil
}

// versionsRange reads "versions 5-68/100": the last revision of the page, and the group's.
func versionsRange(value string) (last, current uint32, err error) {
	rest, found := strings.CutPrefix(value, "versions ")
	span, total, sized := strings.Cut(rest, "/")
	_, end, dashed := strings.Cut(span, "-")
	parsedLast, lastErr := strconv.ParseUint(end, 10, 32)
	parsedCurrent, currentErr := strconv.ParseUint(total, 10, 32)
	if !found || !sized || !dashed || lastErr != nil || currentErr != nil {
		return 0, 0, fmt.Errorf("%w: Content-Range %.32q of a group's log", ErrProtocol, value)
	}
	return uint32(parsedLast), uint32(parsedCurrent), nil
}
