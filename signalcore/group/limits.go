package group

import (
	"fmt"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Limits of what this account asks for. Lengths are in characters as a reader counts them (grapheme clusters) and in
// bytes of UTF-8.
const (
	// MaxSize is the most members and invitations that a group may have (the apps' global.groupsv2.groupSizeHardLimit);
	// the service has the last word. As many may be banned, and as many ask to join.
	MaxSize = 1001
	// MaxTitle and MaxTitleBytes are the apps' (Signal-Desktop ts/components/GroupTitleInput.dom.tsx).
	MaxTitle      = 32
	MaxTitleBytes = 256
	// MaxDescription and MaxDescriptionBytes are the apps' (ts/components/GroupDescriptionInput.dom.tsx).
	MaxDescription      = 480
	MaxDescriptionBytes = 8192
	// MaxLabel, MaxLabelBytes and MaxEmojiBytes are the apps' (Signal-Android MemberLabel).
	MaxLabel      = 24
	MaxLabelBytes = 96
	MaxEmojiBytes = 48

	// What the encrypted forms may have (Signal-Desktop ts/groups.ts).
	maxSealedTitle       = 1024
	maxSealedDescription = 8192
)

// checkText holds a text to a limit.
func checkText(what, text string, characters, size int) error {
	if !utf8.ValidString(text) {
		return ruleError("the %s is not text", what)
	}
	if n := uniseg.GraphemeClusterCount(text); n > characters {
		return fmt.Errorf("%w: the %s has %d characters, where %d are allowed", ErrTooLong, what, n, characters)
	}
	if len(text) > size {
		return fmt.Errorf("%w: the %s has %d bytes, where %d are allowed", ErrTooLong, what, len(text), size)
	}
	return nil
}

func checkSealed(what string, sealed []byte, limit int) error {
	if len(sealed) > limit {
		return fmt.Errorf("%w: the %s has %d bytes when encrypted, where %d are allowed", ErrTooLong, what,
			len(sealed), limit)
	}
	return nil
}

// checkLabel holds a label and its emoji to their limits: an emoji stands before a label, not alone.
func checkLabel(text, emoji string) error {
	if err := checkText("label", text, MaxLabel, MaxLabelBytes); err != nil {
		return err
	}
	if err := checkText("label's emoji", emoji, 1, MaxEmojiBytes); err != nil {
		return err
	}
	if emoji != "" && text == "" {
		return ruleError("an emoji alone is no label")
	}
	return nil
}
