package service

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"signalbox/signalcore/signalpb/grpcpb"
)

const (
	errorInfoType = "type.googleapis.com/google.rpc.ErrorInfo"
	retryInfoType = "type.googleapis.com/google.rpc.RetryInfo"
)

// errorDetails finds the service's own reason and wish in the details of a gRPC status. Details that cannot be read
// count as none.
func errorDetails(serialized []byte) (reason string, retryAfter time.Duration) {
	var status grpcpb.Status
	if len(serialized) == 0 || proto.Unmarshal(serialized, &status) != nil {
		return "", 0
	}
	for _, detail := range status.GetDetails() {
		switch detail.GetTypeUrl() {
		case errorInfoType:
			if reason == "" {
				reason = ownReason(detail)
			}
		case retryInfoType:
			retryAfter = retryDelay(detail)
		}
	}
	return reason, retryAfter
}

func ownReason(detail *anypb.Any) string {
	var info grpcpb.ErrorInfo
	if proto.Unmarshal(detail.GetValue(), &info) != nil || info.GetDomain() != errorDomain {
		return ""
	}
	return info.GetReason()
}

func retryDelay(detail *anypb.Any) time.Duration {
	var info grpcpb.RetryInfo
	if proto.Unmarshal(detail.GetValue(), &info) != nil {
		return 0
	}
	return min(max(info.GetRetryDelay().AsDuration(), 0), maxRetryAfter)
}
