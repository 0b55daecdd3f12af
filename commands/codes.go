package commands

import (
	"slices"

	sc "signalbox/statuscodes"
)

// Codes of errors, by what a command does. Which of them a command can answer is part of what protocol tells.
var (
	// anyCommand is what every command may answer.
	anyCommand = []sc.Code{sc.Unknown, sc.InvalidArgument, sc.Unauthorized, sc.ShuttingDown, sc.StorageError, sc.Timeout}
	// account needs an account, online commands the service.
	needsAccount = []sc.Code{sc.NotLinked}
	online       = []sc.Code{sc.NotLinked, sc.RateLimited, sc.NetworkError}
	// naming people, groups and attachments.
	naming      = []sc.Code{sc.InvalidNumber, sc.InvalidRecipient, sc.UnregisteredRecipient}
	groupsByID  = []sc.Code{sc.InvalidNumber, sc.InvalidRecipient, sc.GroupNotFound}
	ofMembers   = []sc.Code{sc.NotAGroupMember, sc.PermissionDenied}
	attachments = []sc.Code{sc.InvalidAttachment}
	// sending to somebody.
	sending = slices.Concat(online, naming, groupsByID, ofMembers, []sc.Code{sc.ChallengeRequired, sc.UntrustedIdentity})
	// changing a group tells its members.
	changing = slices.Concat(sending, attachments)
)

// failures are the codes that each command may answer beside anyCommand.
var failures = map[string][]sc.Code{
	"send_message":        slices.Concat(sending, attachments),
	"send_reaction":       slices.Concat(sending, []sc.Code{sc.MissingReaction}),
	"delete_message":      sending,
	"send_receipt":        sending,
	"send_typing":         sending,
	"set_expiration":      sending,
	"get_outgoing":        needsAccount,
	"list_groups":         needsAccount,
	"get_group":           slices.Concat(online, groupsByID, ofMembers, []sc.Code{sc.NotFound}),
	"create_group":        changing,
	"update_group":        changing,
	"leave_group":         sending,
	"join_group":          slices.Concat(sending, []sc.Code{sc.NotFound}),
	"get_group_link_info": slices.Concat(online, []sc.Code{sc.NotFound, sc.PermissionDenied}),
	"delete_group":        sending,
	"receive_messages":    needsAccount,
	"ack_messages":        needsAccount,
	"get_attachment":      {sc.NotLinked, sc.MessageParsingError, sc.NotFound},
	"subscribe":           needsAccount,
	"unsubscribe":         nil,
	"start_link":          {sc.RateLimited, sc.NetworkError, sc.PermissionDenied},
	"finish_link":         {sc.RateLimited, sc.NetworkError, sc.PermissionDenied, sc.NotFound, sc.NotLinked},
	"get_account":         needsAccount,
	"list_devices":        online,
	"auth":                nil,
	"version":             nil,
	"status":              nil,
	"protocol":            nil,
}

// codesOf lists the status codes that a command may answer beside SUCCESS, in order.
func codesOf(name string) []int {
	var out []int
	for _, code := range slices.Concat(anyCommand, failures[name]) {
		out = append(out, int(code))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
