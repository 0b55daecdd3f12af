package content

import "signalbox/signalcore/signalpb/servicepb"

// Story is a picture, a film or a text that is shown for a day.
type Story struct {
	// Exactly one of File and Text is set.
	File *Attachment
	Text *StoryText
	// Mentions and Styles are those of the caption of File, or of Text.
	Mentions      []Mention
	Styles        []Style
	AllowsReplies bool
}

// StoryText is a story that is nothing but text on a colour.
type StoryText struct {
	Text    string
	Preview *Preview
}

func (p *parser) storyMessage(s *servicepb.StoryMessage) (Event, error) {
	event := Event{Kind: KindStory}
	var err error
	if event.Group, err = parseGroup(s.GetGroup()); err != nil {
		return event, err
	}
	story := &Story{AllowsReplies: s.GetAllowsReplies()}
	var text string
	switch a := s.GetAttachment().(type) {
	case *servicepb.StoryMessage_FileAttachment:
		file := parseAttachment(a.FileAttachment)
		story.File, text = &file, file.Caption
	case *servicepb.StoryMessage_TextAttachment:
		story.Text = &StoryText{Text: cleanText(a.TextAttachment.GetText())}
		if preview := a.TextAttachment.GetPreview(); preview != nil {
			parsed := parsePreview(preview)
			story.Text.Preview = &parsed
		}
		text = story.Text.Text
	default:
		return Event{Kind: KindUnknown, Group: event.Group}, nil
	}
	story.Mentions, story.Styles = p.ranges(s.GetBodyRanges(), utf16Len(text))
	event.Story = story
	return event, nil
}

func (s *Story) attachments() []*Attachment {
	switch {
	case s.File != nil:
		return []*Attachment{s.File}
	case s.Text != nil && s.Text.Preview != nil && s.Text.Preview.Image != nil:
		return []*Attachment{s.Text.Preview.Image}
	}
	return nil
}
