package commands

const authCommand = "auth"

// table lists the commands, in the order in which protocol shows them.
func table() []*command {
	var all []*command
	for _, family := range []func() []*command{
		messageCommands, sendingCommands, groupCommands, receivingCommands, subscribingCommands, linkingCommands,
		accountCommands, daemonCommands,
	} {
		all = append(all, family()...)
	}
	return all
}
