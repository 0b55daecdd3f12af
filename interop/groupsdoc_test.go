package interop

import (
	"flag"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/docs/doctest"
)

var updateDocs = flag.Bool("update-docs", false, "write the session in docs/groups.md anew")

// docSession runs the commands of a document through a shell, and keeps what they print. Names in braces stand for what
// earlier commands have printed, and for phone numbers, in place of which the document has fictional ones.
type docSession struct {
	t       *testing.T
	port    string
	values  map[string]string
	fiction *strings.Replacer
	blocks  []string
}

func newDocSession(t *testing.T, r *Rig, numbers map[string]string) *docSession {
	_, port, err := net.SplitHostPort(r.Daemon.Address)
	require.NoError(t, err)
	s := &docSession{t: t, port: port, values: map[string]string{}}
	pairs := []string{r.Me.Number, "+14155550100"}
	for name, number := range numbers {
		s.values[strings.ToLower(name)] = r.Contact(name).Number
		pairs = append(pairs, r.Contact(name).Number, number)
	}
	s.fiction = strings.NewReplacer(pairs...)
	return s
}

// block begins a block of the document.
func (s *docSession) block() { s.blocks = append(s.blocks, "") }

func (s *docSession) write(text string) { s.blocks[len(s.blocks)-1] += s.fiction.Replace(text) }

// note says what somebody else does now.
func (s *docSession) note(text string) { s.write("# " + text + "\n") }

// run types a command, until its output is as the document wants it: a message may take a moment.
func (s *docSession) run(command, until string) string {
	s.t.Helper()
	for name, value := range s.values {
		command = strings.ReplaceAll(command, "{"+name+"}", value)
	}
	for range 60 {
		output := Shell(s.t, strings.ReplaceAll(command, "6789", s.port))
		if strings.Contains(output, until) {
			s.write("$ " + command + "\n" + output)
			return output
		}
		patient := strings.Contains(command, "receive_messages") || strings.Contains(command, "list_groups")
		require.True(s.t, patient, output)
	}
	require.Fail(s.t, "it does not come: "+until)
	return ""
}

// send types a request for nc.
func (s *docSession) send(request, until string) string {
	s.t.Helper()
	return s.run("echo '"+request+"' | nc -N localhost 6789", until)
}

// receive takes what has come.
func (s *docSession) receive(until string) string {
	s.t.Helper()
	return s.run(`echo "{command:'receive_messages'}" | socat -t 2 TCP:localhost:6789 -`, until)
}

// keep names a part of an output.
func (s *docSession) keep(name, output, pattern string) {
	s.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(output)
	require.Len(s.t, found, 2, output)
	s.values[name] = found[1]
}

// check compares the blocks with those of the document, or writes them there.
func (s *docSession) check(name string) {
	document, err := doctest.Read(filepath.Join(Root(), "docs", name))
	require.NoError(s.t, err)
	require.Len(s.t, document.Blocks, len(s.blocks), "blocks in %s", name)
	for i, block := range document.Blocks {
		if !*updateDocs {
			require.Equal(s.t, doctest.Normalise(block.Text()), doctest.Normalise(s.blocks[i]))
		}
		block.SetText(s.blocks[i])
	}
	if *updateDocs {
		require.NoError(s.t, document.Write())
	}
}

// The session of docs/groups.md, command by command: the document has what came out, and this says whether it still does.
func TestGroupsOfTheDocs(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "Alice", "Bob", "Carol")
		s := newDocSession(t, r, map[string]string{"Alice": "+14155550101", "Bob": "+14155550102", "Carol": "+14155550103"})
		club := s.makeClub(r)
		s.changeClub(r, club)
		s.letIn(r, club)
		s.guest(r)
		s.leave(r, club)
		if !*updateDocs || version == 27 {
			s.check("groups.md")
		}
	})
}

func (s *docSession) makeClub(r *Rig) *Group {
	alice := r.Contact("Alice")
	s.block()
	made := s.send(`{"command":"create_group","title":"Kiln club","description":"Who fires when",`+
		`"members":["{alice}","{bob}"]}`, `"Kiln club"`)
	s.keep("club", made, `"groupId":"([^"]+)"`)
	s.send(`{"command":"send_message","groupId":"{club}","dataMessage":{"message":"Kiln 2 is free on Friday."}}`, `"timestamp"`)
	alice.AwaitText("Kiln 2 is free on Friday.")
	club := r.Group(s.values["club"])
	s.note("Alice answers on her phone.")
	alice.SendText(r.Me, "Mine, please!", SendOptions{In: club})
	s.receive("Mine, please!")
	s.run(`echo '{"command":"list_groups"}' | socat -t 5 - TCP:localhost:6789`, "Kiln club")
	return club
}

func (s *docSession) changeClub(r *Rig, club *Group) {
	s.block()
	s.send(`{"command":"update_group","groupId":"{club}","title":"Kiln and glaze club","expiresInSeconds":604800,`+
		`"addAdmins":["{alice}"]}`, `"done":["title"`)
	s.note("Alice, an admin now, removes Bob on her phone, and lets only admins write.")
	club.ChangeAndTell(r.Contact("Alice"), Changes{"remove": []string{"Bob"}, "announcementsOnly": true})
	s.receive("announcementsChanged")
	s.send(`{"command":"update_group","groupId":"{club}","title":"A title is short: this one has far too many characters"}`,
		`"statusCode":18`)
	s.send(`{"command":"update_group","groupId":"{club}"}`, `"statusCode":18`)
}

func (s *docSession) letIn(r *Rig, club *Group) {
	s.block()
	linked := s.send(`{"command":"update_group","groupId":"{club}","link":"approval"}`, `"linkUrl"`)
	s.keep("link", linked, `"linkUrl":"([^"]+)"`)
	s.note("Carol opens the link, and asks to join.")
	r.Contact("Carol").JoinByLink(club.LinkURL(), Changes{"request": true})
	s.send(`{"command":"get_group","groupId":"{club}","refresh":true}`, `"requesting"`)
	s.receive("joinRequested")
	s.send(`{"command":"update_group","groupId":"{club}","approve":["{carol}"]}`, `"done":["approve"]`)
}

func (s *docSession) guest(r *Rig) {
	bob := r.Contact("Bob")
	s.block()
	s.note("Bob makes a group with a link.")
	allotment := bob.NewGroup("Allotment", Changes{"link": "on", "attributesAccess": "admins"})
	s.values["allotment"] = allotment.LinkURL()
	info := s.send(`{"command":"get_group_link_info","link":"{allotment}"}`, "Allotment")
	s.keep("guest", info, `"groupId":"([^"]+)"`)
	s.send(`{"command":"join_group","link":"{allotment}"}`, `"membership":"member"`)
	s.send(`{"command":"update_group","groupId":"{guest}","title":"Our allotment"}`, `"statusCode":22`)
	s.note("Bob makes a new link; the old one is void.")
	allotment.ChangeAndTell(bob, Changes{"resetLink": true})
	s.receive("linkReset")
	s.send(`{"command":"get_group_link_info","link":"{allotment}"}`, `"statusCode":21`)
	s.note("Bob removes us.")
	allotment.ChangeAndTell(bob, Changes{"remove": []string{"me"}})
	s.receive("memberRemoved")
	s.send(`{"command":"send_message","groupId":"{guest}","dataMessage":{"message":"Hello?"}}`, `"statusCode":7`)
}

func (s *docSession) leave(r *Rig, club *Group) {
	s.block()
	s.note("Alice gives up being an admin: we are the last one.")
	club.ChangeAndTell(r.Contact("Alice"), Changes{"demote": []string{"Alice"}})
	s.receive("roleChanged")
	s.send(`{"command":"leave_group","groupId":"{club}"}`, `"statusCode":18`)
	s.send(`{"command":"leave_group","groupId":"{club}","adminToPromote":"{carol}"}`, `"membership":"left"`)
	s.send(`{"command":"delete_group","groupId":"{club}"}`, `"statusCode":0`)
	s.send(`{"command":"get_group","groupId":"{club}"}`, `"statusCode":6`)
	s.send(`{"command":"get_group","groupId":"1G8yM1lHVyRwrRTbpcKqzA=="}`, `"statusCode":6`)
	s.send(`{"command":"get_group","groupId":"Kiln club"}`, `"statusCode":2`)
}
