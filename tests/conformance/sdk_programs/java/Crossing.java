// Takes a web identity to the AWS side with the AWS SDK for Java 2, unmodified; prints what it met as JSON.
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.sts.StsClient;

final class Crossing {
    public static void main(String[] arguments) {
        String bucket = arguments[0];
        try (S3Client s3 = S3Client.create(); StsClient sts = StsClient.create()) {
            String arn = sts.getCallerIdentity().arn();
            s3.putObject(put -> put.bucket(bucket).key(arguments[1]), RequestBody.fromString("from the SDK"));
            String text = s3.getObjectAsBytes(get -> get.bucket(bucket).key(arguments[1])).asUtf8String();
            String error = "{}";
            try {
                s3.putObject(put -> put.bucket(bucket).key(arguments[2]), RequestBody.fromString("no"));
            } catch (S3Exception met) {
                String code = met.awsErrorDetails().errorCode(), message = met.awsErrorDetails().errorMessage();
                error = "{\"code\": " + quoted(code) + ", \"message\": " + quoted(message) + "}";
            }
            System.out.println("{\"arn\": " + quoted(arn) + ", \"text\": " + quoted(text) + ", \"error\": " + error + "}");
        }
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
