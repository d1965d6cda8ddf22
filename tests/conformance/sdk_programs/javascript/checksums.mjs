// Sends S3 bodies with every checksum that the AWS SDK for JavaScript v3 computes, unmodified, and reads them back
// with the SDK's own verification. Each part runs by itself; prints one JSON object: part -> "passed", or what was thrown.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import * as sdk from "@aws-sdk/client-s3";

const s3 = new sdk.S3Client({ maxAttempts: 1, forcePathStyle: true });
const call = (operation, input = {}) => s3.send(new sdk[`${operation}Command`]({ Bucket: "js-checksums", ...input }));
const content = "123456789";
const values = { CRC32: "y/Q5Jg==", CRC32C: "4waSgw==", CRC64NVME: "rosUhgp5mIg=" };
const algorithms = [...Object.keys(values), "SHA1", "SHA256"];

async function refused(name, input) {
  const error = await call("PutObject", { Key: "refused", ...input }).then(() => assert.fail("passed"), (thrown) => thrown);
  assert.equal(error.name, name, error.message);
  assert.equal(error.$metadata.httpStatusCode, 400);
}

async function kept(key, input) {
  const put = await call("PutObject", { Key: key, ...input });
  const got = await call("GetObject", { Key: key, ChecksumMode: "ENABLED" });
  assert.equal(await got.Body.transformToString(), content); // the SDK throws on another checksum
  const member = `Checksum${input.ChecksumAlgorithm ?? "CRC32"}`;
  assert.ok(got[member], member);
  assert.equal(put[member], got[member]);
  if (values[input.ChecksumAlgorithm]) assert.equal(got[member], values[input.ChecksumAlgorithm]);
}

const parts = {
  async theDefault() {
    await kept("default", { Body: content });
  },

  async inAHeader() {
    for (const ChecksumAlgorithm of algorithms) await kept(`header/${ChecksumAlgorithm}`, { Body: content, ChecksumAlgorithm });
  },

  async inATrailer() {
    for (const ChecksumAlgorithm of algorithms) {
      const Body = Readable.from([Buffer.from(content)]);
      await kept(`trailer/${ChecksumAlgorithm}`, { Body, ContentLength: content.length, ChecksumAlgorithm });
    }
  },

  async ofAnotherBody() {
    await refused("BadDigest", { Body: "other", ChecksumCRC64NVME: values.CRC64NVME });
    await refused("BadDigest", { Body: "other", ChecksumCRC32C: values.CRC32C });
    await refused("InvalidRequest", { Body: content, ChecksumCRC64NVME: values.CRC32C });
  },

  async multipart() {
    for (const ChecksumAlgorithm of algorithms) {
      const upload = { Key: `parts/${ChecksumAlgorithm}` };
      upload.UploadId = (await call("CreateMultipartUpload", { ...upload, ChecksumAlgorithm })).UploadId;
      const part = await call("UploadPart", { ...upload, PartNumber: 1, Body: content, ChecksumAlgorithm });
      const member = `Checksum${ChecksumAlgorithm}`;
      const told = { PartNumber: 1, ETag: part.ETag, [member]: part[member] };
      await call("CompleteMultipartUpload", { ...upload, MultipartUpload: { Parts: [told] } });
      const got = await call("GetObject", { Key: upload.Key, ChecksumMode: "ENABLED" });
      assert.equal(await got.Body.transformToString(), content);
      assert.ok(got[member].endsWith(ChecksumAlgorithm === "CRC64NVME" ? values.CRC64NVME : "-1"), got[member]);
    }
  },
};

await call("CreateBucket");
const outcome = {};
for (const [part, run] of Object.entries(parts)) {
  outcome[part] = await run().then(() => "passed", (thrown) => String(thrown.stack ?? thrown));
}
console.log(JSON.stringify(outcome));
