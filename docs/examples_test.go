package docs

// The people in the examples.
const (
	echo   = `"recipient":"+12025550101"`
	silent = `+12025550103`
)

// call is a command line that sends one request.
func call(request string) string { return "signalbox call '" + request + "'" }

// examples are what docs/commands.md shows of each command. They are one session, in the order of the table.
var examples = map[string][]string{
	"send_message": {
		call(`{"command":"send_message","reqId":"1",` + echo + `,"dataMessage":{"message":"Kiln 2: firing done"}}`),
	},
	"send_reaction": {
		"sent=$(" + call(`{"command":"send_message",`+echo+`,"dataMessage":{"message":"Kiln 3: firing"}}`) +
			" | jq .timestamp)",
		call(`{"command":"send_reaction",` + echo + `,"reaction":{"emoji":"🔥","author":"self","timestamp":'$sent'}}`),
	},
	"delete_message": {call(`{"command":"delete_message",` + echo + `,"timestamp":'$sent'}`)},
	"send_receipt": {
		call(`{"command":"send_receipt",` + echo + `,"type":"read","timestamps":['$sent']}`),
	},
	"send_typing": {call(`{"command":"send_typing",` + echo + `}`)},
	"set_expiration": {
		call(`{"command":"set_expiration",` + echo + `,"expiresInSeconds":604800}`),
	},
	"get_outgoing": {
		call(`{"command":"send_message","recipient":"` + silent +
			`","idempotencyKey":"kiln-42","dataMessage":{"message":"once"}}`),
		call(`{"command":"get_outgoing","idempotencyKey":"kiln-42"}`),
	},
	"list_groups": {call(`{"command":"list_groups"}`)},
	"get_group": {
		"everybody=$(" + call(`{"command":"list_groups"}`) + " | jq -r '.groups[] | select(.title==\"Everybody\").groupId')",
		call(`{"command":"get_group","groupId":"'$everybody'"}`),
	},
	"create_group": {
		call(`{"command":"create_group","title":"Kiln club","members":["`+silent+`"],"link":"on"}`) +
			" | tee club.json",
		"club=$(jq -r .groupId club.json) link=$(jq -r .linkUrl club.json)",
	},
	"update_group": {
		call(`{"command":"update_group","groupId":"'$club'","title":"Kiln and glaze club","addAdmins":["` + silent + `"]}`),
	},
	"leave_group": {call(`{"command":"leave_group","groupId":"'$club'"}`)},
	"join_group":  {call(`{"command":"join_group","link":"'$link'"}`)},
	"get_group_link_info": {
		call(`{"command":"get_group_link_info","link":"'$link'"}`),
	},
	"delete_group": {call(`{"command":"delete_group","groupId":"'$club'"}`)},
	"receive_messages": {
		call(`{"command":"receive_messages","timeout":-1,"maxMessages":1,"types":["message"]}`),
	},
	"ack_messages": {
		"id=$(" + call(`{"command":"receive_messages","timeout":-1,"maxMessages":1,"ack":"manual"}`) + " | jq -r '.messages[0].id')",
		call(`{"command":"ack_messages","ids":["'$id'"]}`),
	},
	"get_attachment": {
		"echo '1,240 degrees' > note.txt && examples/bash/send-file.sh +12025550101 note.txt",
		"file=$(" + call(`{"command":"receive_messages","timeout":-1,"ack":"manual","types":["message"]}`) +
			" | jq -r '.messages[0].attachments[0].id')",
		call(`{"command":"get_attachment","id":"'$file'"}`),
	},
	"subscribe":    {call(`{"command":"subscribe","types":["message","reaction"]}`)},
	"unsubscribe":  {call(`{"command":"unsubscribe"}`)},
	"start_link":   {call(`{"command":"start_link","deviceName":"Kiosk"}`)},
	"finish_link":  {call(`{"command":"finish_link","uri":"sgnl://linkdevice?uuid=none"}`)},
	"get_account":  {call(`{"command":"get_account"}`)},
	"list_devices": {call(`{"command":"list_devices"}`)},
	"auth":         {call(`{"command":"auth","token":"secret"}`)},
	"version":      {call(`{"command":"version"}`) + " | jq .name"},
	"status":       {call(`{"command":"status"}`) + " | jq -c .connection.state"},
	"protocol":     {call(`{"command":"protocol"}`) + " | jq -c '.commands[0] | {name, help, statusCodes}'"},
}
