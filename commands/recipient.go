package commands

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"signalbox/commands/phonenumber"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/statuscodes"
)

// Target is where a command goes: exactly one of recipient, recipients and groupId.
type Target struct {
	Recipient  string   `json:"recipient,omitempty" jsonschema:"description=a phone number in E.164\\, an ACI\\, PNI:<uuid>\\, u:<username>\\, or self"`
	Recipients []string `json:"recipients,omitempty" jsonschema:"description=several recipients\\, in place of recipient"`
	GroupID    string   `json:"groupId,omitempty" jsonschema:"description=base64 of the 32-byte group identifier"`
}

const (
	maxRecipients = 1000
	groupIDSize   = 32
	// legacyGroupIDSize is that of a group of the first generation, which Signal has shut down.
	legacyGroupIDSize = 16
)

// destination checks the three forms. A group is well-formed or refused here; whether it is known is for the client.
func (t Target) destination() (model.Destination, error) {
	set := 0
	for _, given := range []bool{t.Recipient != "", len(t.Recipients) > 0, t.GroupID != ""} {
		if given {
			set++
		}
	}
	switch {
	case set != 1:
		return model.Destination{}, badField(statuscodes.InvalidRecipient, "",
			"exactly one of recipient, recipients and groupId is needed")
	case t.GroupID != "":
		id, err := parseGroupID(t.GroupID)
		return model.Destination{Group: id}, err
	case t.Recipient != "":
		recipient, err := parseRecipient("recipient", t.Recipient)
		return model.Destination{Recipients: []model.Recipient{recipient}}, err
	}
	recipients, err := parseRecipients("recipients", t.Recipients)
	return model.Destination{Recipients: recipients}, err
}

func parseRecipients(field string, texts []string) ([]model.Recipient, error) {
	if len(texts) > maxRecipients {
		return nil, badField(statuscodes.InvalidRecipient, field, "are more than %d", maxRecipients)
	}
	out := make([]model.Recipient, len(texts))
	for i, text := range texts {
		var err error
		if out[i], err = parseRecipient(fmt.Sprintf("%s[%d]", field, i), text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// usernameForm is a nickname of 3 to 32 characters and a discriminator (libsignal rust/usernames/src/constants.rs).
var usernameForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{2,31}\.[0-9]{2,9}$`)

// parseRecipient reads one of the forms of a person's name, checking no more than its form.
func parseRecipient(field, text string) (model.Recipient, error) {
	out := model.Recipient{Text: text}
	switch trimmed := strings.TrimSpace(text); {
	case trimmed == "self":
		out.Kind = model.RecipientSelf
		return out, nil
	case strings.HasPrefix(trimmed, "u:"):
		out.Kind, out.Username = model.RecipientUsername, strings.TrimPrefix(trimmed, "u:")
		if !usernameForm.MatchString(out.Username) {
			return out, badField(statuscodes.InvalidRecipient, field,
				"is not a username: a name of 3 to 32 letters, digits and _, a dot, and two digits or more")
		}
		return out, nil
	default:
		return parseNumberOrID(field, trimmed, out)
	}
}

func parseNumberOrID(field, text string, out model.Recipient) (model.Recipient, error) {
	if id, err := serviceid.Parse(text); err == nil {
		out.Kind, out.ServiceID = model.RecipientServiceID, id
		return out, nil
	}
	if len(text) >= 4 && strings.EqualFold(text[:4], "PNI:") {
		return out, badField(statuscodes.InvalidRecipient, field, "is not PNI: and a UUID")
	}
	number, ok := phonenumber.Parse(text)
	if !ok {
		return out, badField(statuscodes.InvalidNumber, field,
			"is not a phone number in E.164 (+ and digits), nor a UUID, u:<username> or self")
	}
	out.Kind, out.Number = model.RecipientNumber, number
	return out, nil
}

// parseGroupID takes standard or URL-safe base64, padded or not. What is wrong with it is INVALID_NUMBER, as in the
// original. Scripts of long ago may still name groups of the first generation: those are well-formed, and gone.
func parseGroupID(text string) ([]byte, error) {
	plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(text)), "=")
	id, err := base64.RawStdEncoding.DecodeString(plain)
	switch {
	case err == nil && len(id) == groupIDSize:
		return id, nil
	case err == nil && len(id) == legacyGroupIDSize:
		return nil, badField(statuscodes.GroupNotFound, "groupId",
			"is that of a legacy group, a kind that Signal has abandoned; list_groups has the ids of groups as they are now")
	}
	return nil, badField(statuscodes.InvalidNumber, "groupId", "is not the base64 of %d bytes", groupIDSize)
}

// oneGroup reads the groupId of a command that is about a group.
func oneGroup(text string) ([]byte, error) {
	if text == "" {
		return nil, badField(statuscodes.InvalidRecipient, "groupId", "is missing")
	}
	return parseGroupID(text)
}
