package commands_test

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/commands"
	"signalbox/commands/signaltest"
	"signalbox/lenientjson"
	"signalbox/statuscodes"
)

// FuzzRequests runs whatever parses: a command may refuse it, but never panics, and always has a code and, unless all
// went well, a sentence.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		`{command:'send_message',recipient:'+43 664 1234567',dataMessage:{message:'x',attachments:[{base64Data:'aGk='}],
			quote:{author:'self',timestamp:1,text:'q',mentions:[{start:0,length:1,recipient:'self'}]},
			mentions:[{start:0,length:1,recipient:'u:abc.12'}],textStyles:[{start:0,length:1,style:'BOLD'}],
			previews:[{url:'https://a.b',title:'t',base64Image:'aGk='}],sticker:{packId:'00',packKey:'00',stickerId:1}}}`,
		`{command:'send_reaction',recipients:['self'],reaction:{emoji:'😀',author:'PNI:1',timestamp:'5'},idempotencyKey:'k'}`,
		`{command:'receive_messages',timeout:0,types:['message'],maxMessages:5e1,ack:'manual',leaseSeconds:1}`,
		`{command:'send_receipt',recipient:'self',timestamps:[1,'2',3.0]}`, `{command:'get_outgoing',limit:1}`,
		`{command:'delete_message',groupId:'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',timestamp:1,queue:{ttlSeconds:1}}`,
		`{command:'create_group',title:'t',members:['self'],avatar:{base64Data:'aGk='},permissions:{addMembers:'admins'},link:'on'}`,
		`{command:'update_group',groupId:'` + kiln + `',addMembers:['+1 202 555 0123'],label:'',expiresInSeconds:'60'}`,
		`{command:'join_group',link:'https://signal.group/#x'}`, `{command:'get_group',groupId:'AAAAAAAAAAAAAAAAAAAAAA',avatar:true}`,
		`{command:'ack_messages',ids:[1]}`, `{command:'status',username:'self',token:5}`, `{command:['x'],reqId:{}}`,
	} {
		f.Add([]byte(seed))
	}
	options := commands.Options{CommandTimeout: time.Minute, Log: zerolog.Nop()}
	f.Fuzz(func(t *testing.T, input []byte) {
		session := commands.New(signaltest.New(), options).Open(context.Background(), commands.Client{
			Push: func(any) error { return nil },
		})
		defer session.Close()
		opts := lenientjson.DefaultOptions()
		opts.MaxBytes = 1 << 16
		parser := lenientjson.NewParser(opts)
		defer parser.Close()
		gone, leave := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer leave()
		for len(input) > 0 {
			n, res := parser.Feed(input)
			input = input[n:]
			if res.Request == nil {
				continue
			}
			reply := session.Run(gone, res.Request.Value)
			if reply.Settle != nil {
				reply.Settle(true)
			}
			require.Equal(t, reply.Code == statuscodes.Success, reply.Message == "")
			require.NotContains(t, reply.Message, "the log says more", "a panic")
		}
	})
}
