package content

import "signalbox/signalcore/signalpb/servicepb"

// Names of enum values, as clients of the socket see them. A value that is not here reads as empty.
var (
	fetches = map[servicepb.SyncMessage_FetchLatest_Type]FetchLatest{
		servicepb.SyncMessage_FetchLatest_LOCAL_PROFILE:       FetchProfile,
		servicepb.SyncMessage_FetchLatest_STORAGE_MANIFEST:    FetchStorage,
		servicepb.SyncMessage_FetchLatest_SUBSCRIPTION_STATUS: FetchSubscription,
	}
	requests = map[servicepb.SyncMessage_Request_Type]RequestType{
		servicepb.SyncMessage_Request_CONTACTS:      RequestContacts,
		servicepb.SyncMessage_Request_BLOCKED:       RequestBlocked,
		servicepb.SyncMessage_Request_CONFIGURATION: RequestConfiguration,
		servicepb.SyncMessage_Request_KEYS:          RequestKeys,
	}
	responses = map[servicepb.SyncMessage_MessageRequestResponse_Type]string{
		servicepb.SyncMessage_MessageRequestResponse_ACCEPT:           "accept",
		servicepb.SyncMessage_MessageRequestResponse_DELETE:           "delete",
		servicepb.SyncMessage_MessageRequestResponse_BLOCK:            "block",
		servicepb.SyncMessage_MessageRequestResponse_BLOCK_AND_DELETE: "blockAndDelete",
		servicepb.SyncMessage_MessageRequestResponse_SPAM:             "spam",
		servicepb.SyncMessage_MessageRequestResponse_BLOCK_AND_SPAM:   "blockAndSpam",
	}
	verifications = map[servicepb.Verified_State]string{
		servicepb.Verified_DEFAULT:    "default",
		servicepb.Verified_VERIFIED:   "verified",
		servicepb.Verified_UNVERIFIED: "unverified",
	}
	callTypes = map[servicepb.SyncMessage_CallEvent_Type]string{
		servicepb.SyncMessage_CallEvent_AUDIO_CALL:  "audio",
		servicepb.SyncMessage_CallEvent_VIDEO_CALL:  "video",
		servicepb.SyncMessage_CallEvent_GROUP_CALL:  "group",
		servicepb.SyncMessage_CallEvent_AD_HOC_CALL: "adHoc",
	}
	callDirections = map[servicepb.SyncMessage_CallEvent_Direction]string{
		servicepb.SyncMessage_CallEvent_INCOMING: "incoming",
		servicepb.SyncMessage_CallEvent_OUTGOING: "outgoing",
	}
	callEvents = map[servicepb.SyncMessage_CallEvent_Event]string{
		servicepb.SyncMessage_CallEvent_ACCEPTED:     "accepted",
		servicepb.SyncMessage_CallEvent_NOT_ACCEPTED: "notAccepted",
		servicepb.SyncMessage_CallEvent_DELETE:       "delete",
		servicepb.SyncMessage_CallEvent_OBSERVED:     "observed",
	}
)
