// Package cdn is the sandbox's content delivery networks: attachments on CDN 3 by tus uploads and on CDN 2 by Google's
// resumable uploads, pictures on CDN 0 by S3's form, and downloads with ranges from all of them.
//
// Who may upload what is signed into the form that the chat service gives (Signal-Server AttachmentControllerV4), and
// checked here. What is stored is encrypted; that is not undone.
//
// Sources: Signal-Server attachments/TusAttachmentGenerator, attachments/GcsAttachmentGenerator, s3/PostPolicyGenerator;
// tus.io/protocols/resumable-upload 1.0.0 with creation-with-upload; cloud.google.com/storage/docs/resumable-uploads.
package cdn
