// Takes a web identity to the AWS side with the AWS SDK for Go v2, unmodified; prints what it met as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

func main() {
	log.SetFlags(0)
	bucket, allowed, refused := os.Args[1], os.Args[2], os.Args[3]
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1))
	must(err)
	who, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	must(err)
	store := s3.NewFromConfig(settings, func(options *s3.Options) { options.UsePathStyle = true })
	put := func(key string) error {
		body := strings.NewReader("from the SDK")
		_, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body})
		return err
	}
	must(put(allowed))
	got, err := store.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &allowed})
	must(err)
	text, err := io.ReadAll(got.Body)
	must(err)
	said := map[string]any{"arn": aws.ToString(who.Arn), "text": string(text), "error": map[string]string{}}
	var failed smithy.APIError
	if err := put(refused); errors.As(err, &failed) {
		said["error"] = map[string]string{"code": failed.ErrorCode(), "message": failed.ErrorMessage()}
	}
	must(json.NewEncoder(os.Stdout).Encode(said))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
