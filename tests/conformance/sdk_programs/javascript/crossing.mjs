// Takes a web identity to the AWS side with the AWS SDK for JavaScript v3, unmodified; prints what it met as JSON.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { fromTokenFile } from "@aws-sdk/credential-providers";

const [bucket, allowed, refused] = process.argv.slice(2);
const credentials = fromTokenFile({ roleSessionName: "matrix" });
const s3 = new S3Client({ credentials, forcePathStyle: true });
const who = await new STSClient({ credentials }).send(new GetCallerIdentityCommand({}));
await s3.send(new PutObjectCommand({ Bucket: bucket, Key: allowed, Body: "from the SDK" }));
const read = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: allowed }));
const text = await read.Body.transformToString();
let error = {};
try {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: refused, Body: "no" }));
} catch (caught) {
  error = { code: caught.name, message: caught.message };
}
console.log(JSON.stringify({ arn: who.Arn, text, error }));
