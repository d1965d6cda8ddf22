// Calls IAM with the AWS SDK for JavaScript v3, unmodified, and checks what it makes of the answers.
// Each part runs by itself; prints one JSON object: part -> "passed", or what was thrown.
import assert from "node:assert/strict";
import * as sdk from "@aws-sdk/client-iam";

const issuer = process.argv[2];
const iam = new sdk.IAMClient({ maxAttempts: 1 });
const call = (operation, input = {}) => iam.send(new sdk[`${operation}Command`](input));
const document = (statement) => JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
const decode = (text) => JSON.parse(decodeURIComponent(text));
const read = document({ Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/*" });
const write = document({ Effect: "Allow", Action: "s3:PutObject", Resource: "arn:aws:s3:::b/*" });
const trust = document({ Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" });
const team = [{ Key: "team", Value: "a=b @ ü" }];

async function refused(name, status, operation, input) {
  const error = await call(operation, input).then(() => assert.fail(`${operation} passed`), (thrown) => thrown);
  assert.equal(error.name, name, error.message);
  assert.ok(error instanceof sdk[name], `${error.name} is not the class of the model`);
  assert.equal(error.$fault, "client");
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.match(error.$metadata.requestId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.ok(error.message.length > 0);
  return error;
}

const parts = {
  async users() {
    const { User: made } = await call("CreateUser", { UserName: "js-user", Path: "/js/", Tags: team });
    assert.match(made.UserId, /^AIDA[A-Z0-9]{17}$/);
    assert.match(made.Arn, /^arn:aws:iam::\d{12}:user\/js\/js-user$/);
    assert.ok(made.CreateDate instanceof Date && Math.abs(Date.now() - made.CreateDate) < 600_000);
    assert.deepEqual((await call("GetUser", { UserName: "js-user" })).User, made);
    await call("UpdateUser", { UserName: "js-user", NewUserName: "js-renamed", NewPath: "/" });
    const { User: renamed } = await call("GetUser", { UserName: "js-renamed" });
    assert.deepEqual([renamed.UserId, renamed.Path, renamed.Tags], [made.UserId, "/", team]);
    await call("PutUserPolicy", { UserName: "js-renamed", PolicyName: "read", PolicyDocument: read });
    const got = await call("GetUserPolicy", { UserName: "js-renamed", PolicyName: "read" });
    assert.deepEqual(decode(got.PolicyDocument), JSON.parse(read));
    assert.deepEqual((await call("ListUserPolicies", { UserName: "js-renamed" })).PolicyNames, ["read"]);
    await call("DeleteUserPolicy", { UserName: "js-renamed", PolicyName: "read" });
    await call("DeleteUser", { UserName: "js-renamed" });
    await refused("NoSuchEntityException", 404, "GetUser", { UserName: "js-renamed" });
  },

  async accessKeys() {
    await call("CreateUser", { UserName: "js-keys" });
    const { AccessKey: key } = await call("CreateAccessKey", { UserName: "js-keys" });
    assert.match(key.AccessKeyId, /^AKIA[A-Z0-9]{16}$/);
    assert.deepEqual([key.Status, key.SecretAccessKey.length, key.UserName], ["Active", 40, "js-keys"]);
    const credentials = { accessKeyId: key.AccessKeyId, secretAccessKey: key.SecretAccessKey };
    const own = new sdk.IAMClient({ maxAttempts: 1, credentials });
    const denied = await own.send(new sdk.ListUsersCommand({})).catch((thrown) => thrown);
    assert.equal(denied.name, "AccessDenied");
    assert.equal(denied.$metadata.httpStatusCode, 403);
    assert.match(denied.message, /user\/js-keys is not authorized to perform: iam:ListUsers/);
    await call("UpdateAccessKey", { UserName: "js-keys", AccessKeyId: key.AccessKeyId, Status: "Inactive" });
    const { AccessKeyMetadata: listed } = await call("ListAccessKeys", { UserName: "js-keys" });
    assert.deepEqual(listed.map((one) => [one.AccessKeyId, one.Status]), [[key.AccessKeyId, "Inactive"]]);
    const used = await call("GetAccessKeyLastUsed", { AccessKeyId: key.AccessKeyId });
    assert.equal(used.UserName, "js-keys");
    const { LastUsedDate, ServiceName, Region } = used.AccessKeyLastUsed;
    assert.ok(LastUsedDate instanceof Date && Math.abs(Date.now() - LastUsedDate) < 600_000);
    assert.deepEqual([ServiceName, Region], ["iam", "us-east-1"]);
    await refused("DeleteConflictException", 409, "DeleteUser", { UserName: "js-keys" });
    await call("DeleteAccessKey", { UserName: "js-keys", AccessKeyId: key.AccessKeyId });
    await call("DeleteUser", { UserName: "js-keys" });
  },

  async groups() {
    const { Group: made } = await call("CreateGroup", { GroupName: "js-group" });
    assert.match(made.GroupId, /^AGPA[A-Z0-9]{17}$/);
    await call("CreateUser", { UserName: "js-member" });
    await call("AddUserToGroup", { GroupName: "js-group", UserName: "js-member" });
    const group = await call("GetGroup", { GroupName: "js-group" });
    assert.deepEqual([group.Group, group.Users.map((one) => one.UserName)], [made, ["js-member"]]);
    const { Groups: of } = await call("ListGroupsForUser", { UserName: "js-member" });
    assert.deepEqual(of, [made]);
    await call("PutGroupPolicy", { GroupName: "js-group", PolicyName: "read", PolicyDocument: read });
    assert.deepEqual((await call("ListGroupPolicies", { GroupName: "js-group" })).PolicyNames, ["read"]);
    const managed = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    await call("AttachGroupPolicy", { GroupName: "js-group", PolicyArn: managed });
    assert.deepEqual((await call("ListAttachedGroupPolicies", { GroupName: "js-group" })).AttachedPolicies, [
      { PolicyName: "AmazonS3ReadOnlyAccess", PolicyArn: managed },
    ]);
    await refused("DeleteConflictException", 409, "DeleteGroup", { GroupName: "js-group" });
    await call("DetachGroupPolicy", { GroupName: "js-group", PolicyArn: managed });
    await call("DeleteGroupPolicy", { GroupName: "js-group", PolicyName: "read" });
    await call("RemoveUserFromGroup", { GroupName: "js-group", UserName: "js-member" });
    await call("DeleteGroup", { GroupName: "js-group" });
    await call("DeleteUser", { UserName: "js-member" });
  },

  async rolesAndBoundary() {
    const made = (await call("CreatePolicy", { PolicyName: "js-bound", PolicyDocument: read })).Policy;
    const input = { RoleName: "js-role", Path: "/js/", AssumeRolePolicyDocument: trust, Tags: team };
    const described = { Description: "from <JS> & co", MaxSessionDuration: 7200, PermissionsBoundary: made.Arn };
    const { Role: role } = await call("CreateRole", { ...input, ...described });
    assert.match(role.RoleId, /^AROA[A-Z0-9]{17}$/);
    const { Role: got } = await call("GetRole", { RoleName: "js-role" });
    assert.deepEqual(decode(got.AssumeRolePolicyDocument), JSON.parse(trust));
    assert.deepEqual([got.Description, got.MaxSessionDuration, got.Tags], ["from <JS> & co", 7200, team]);
    assert.deepEqual(got.PermissionsBoundary, {
      PermissionsBoundaryType: "Policy", // as the service answers; the model's enum is spelled otherwise
      PermissionsBoundaryArn: made.Arn,
    });
    await refused("DeleteConflictException", 409, "DeletePolicy", { PolicyArn: made.Arn });
    await call("DeleteRolePermissionsBoundary", { RoleName: "js-role" });
    assert.equal((await call("GetRole", { RoleName: "js-role" })).Role.PermissionsBoundary, undefined);
    await call("PutRolePermissionsBoundary", { RoleName: "js-role", PermissionsBoundary: made.Arn });
    await call("UpdateRole", { RoleName: "js-role", Description: "", MaxSessionDuration: 3600 });
    await call("UpdateAssumeRolePolicy", {
      RoleName: "js-role",
      PolicyDocument: trust.replace("ec2.", "lambda."),
    });
    const { Role: changed } = await call("GetRole", { RoleName: "js-role" });
    assert.equal(changed.MaxSessionDuration, 3600);
    const [statement] = decode(changed.AssumeRolePolicyDocument).Statement;
    assert.equal(statement.Principal.Service, "lambda.amazonaws.com");
    await call("PutRolePolicy", { RoleName: "js-role", PolicyName: "write", PolicyDocument: write });
    const inline = await call("GetRolePolicy", { RoleName: "js-role", PolicyName: "write" });
    assert.deepEqual(decode(inline.PolicyDocument), JSON.parse(write));
    await call("DeleteRolePolicy", { RoleName: "js-role", PolicyName: "write" });
    await call("DeleteRole", { RoleName: "js-role" });
    await call("DeletePolicy", { PolicyArn: made.Arn });
  },

  async instanceProfiles() {
    await call("CreateRole", { RoleName: "js-node", AssumeRolePolicyDocument: trust });
    const { InstanceProfile: made } = await call("CreateInstanceProfile", { InstanceProfileName: "js-profile" });
    assert.match(made.InstanceProfileId, /^AIPA[A-Z0-9]{17}$/);
    assert.deepEqual(made.Roles, []);
    const both = { InstanceProfileName: "js-profile", RoleName: "js-node" };
    await call("AddRoleToInstanceProfile", both);
    const { InstanceProfile: got } = await call("GetInstanceProfile", { InstanceProfileName: "js-profile" });
    assert.deepEqual(got.Roles.map((one) => one.RoleName), ["js-node"]);
    const { InstanceProfiles: of } = await call("ListInstanceProfilesForRole", { RoleName: "js-node" });
    assert.deepEqual(of.map((one) => one.Arn), [made.Arn]);
    await refused("LimitExceededException", 409, "AddRoleToInstanceProfile", both);
    await refused("DeleteConflictException", 409, "DeleteInstanceProfile", { InstanceProfileName: "js-profile" });
    await call("RemoveRoleFromInstanceProfile", both);
    await call("DeleteInstanceProfile", { InstanceProfileName: "js-profile" });
    await call("DeleteRole", { RoleName: "js-node" });
  },

  async managedPolicyVersions() {
    const { Policy: made } = await call("CreatePolicy", { PolicyName: "js-policy", PolicyDocument: read, Tags: team });
    assert.deepEqual([made.DefaultVersionId, made.AttachmentCount, made.IsAttachable], ["v1", 0, true]);
    const PolicyArn = made.Arn;
    const second = await call("CreatePolicyVersion", { PolicyArn, PolicyDocument: write, SetAsDefault: true });
    assert.deepEqual([second.PolicyVersion.VersionId, second.PolicyVersion.IsDefaultVersion], ["v2", true]);
    const { Versions: versions } = await call("ListPolicyVersions", { PolicyArn });
    assert.deepEqual(versions.map((one) => [one.VersionId, one.IsDefaultVersion]), [["v2", true], ["v1", false]]);
    const { PolicyVersion: first } = await call("GetPolicyVersion", { PolicyArn, VersionId: "v1" });
    assert.deepEqual(decode(first.Document), JSON.parse(read));
    await refused("DeleteConflictException", 409, "DeletePolicyVersion", { PolicyArn, VersionId: "v2" });
    await call("SetDefaultPolicyVersion", { PolicyArn, VersionId: "v1" });
    for (const VersionId of ["v3", "v4", "v5"]) {
      const added = await call("CreatePolicyVersion", { PolicyArn, PolicyDocument: write });
      assert.equal(added.PolicyVersion.VersionId, VersionId);
    }
    await refused("LimitExceededException", 409, "CreatePolicyVersion", { PolicyArn, PolicyDocument: write });
    await call("CreateRole", { RoleName: "js-attached", AssumeRolePolicyDocument: trust });
    await call("AttachRolePolicy", { RoleName: "js-attached", PolicyArn });
    const { PolicyRoles: roles } = await call("ListEntitiesForPolicy", { PolicyArn });
    assert.deepEqual(roles.map((one) => one.RoleName), ["js-attached"]);
    assert.equal((await call("GetPolicy", { PolicyArn })).Policy.AttachmentCount, 1);
    const { Policies: local } = await call("ListPolicies", { Scope: "Local", OnlyAttached: true });
    assert.ok(local.some((one) => one.Arn === PolicyArn));
    await call("DetachRolePolicy", { RoleName: "js-attached", PolicyArn });
    await call("DeleteRole", { RoleName: "js-attached" });
    for (const VersionId of ["v2", "v3", "v4", "v5"]) await call("DeletePolicyVersion", { PolicyArn, VersionId });
    await call("DeletePolicy", { PolicyArn });
    await refused("NoSuchEntityException", 404, "GetPolicy", { PolicyArn });
  },

  async oidcProviders() {
    const input = { Url: issuer, ClientIDList: ["sts.amazonaws.com"], Tags: team };
    const { OpenIDConnectProviderArn } = await call("CreateOpenIDConnectProvider", input);
    assert.ok(OpenIDConnectProviderArn.endsWith(`:oidc-provider/${issuer.replace("https://", "")}`));
    const arn = { OpenIDConnectProviderArn };
    const made = await call("GetOpenIDConnectProvider", arn);
    assert.equal(made.Url, issuer.replace("https://", ""));
    assert.match(made.ThumbprintList[0], /^[0-9a-f]{40}$/); // fetched, for none was given
    await call("AddClientIDToOpenIDConnectProvider", { ...arn, ClientID: "other" });
    const given = ["0123456789abcdef0123456789abcdef01234567"];
    await call("UpdateOpenIDConnectProviderThumbprint", { ...arn, ThumbprintList: given });
    const changed = await call("GetOpenIDConnectProvider", arn);
    assert.deepEqual(changed.ClientIDList.toSorted(), ["other", "sts.amazonaws.com"]);
    assert.deepEqual([changed.ThumbprintList, changed.Tags], [given, team]);
    const { OpenIDConnectProviderList: all } = await call("ListOpenIDConnectProviders");
    assert.deepEqual(all, [{ Arn: OpenIDConnectProviderArn }]);
    await refused("EntityAlreadyExistsException", 409, "CreateOpenIDConnectProvider", input);
    const plain = await call("CreateOpenIDConnectProvider", { Url: "http://plain.example" }).catch((thrown) => thrown);
    assert.deepEqual([plain.name, plain.$metadata.httpStatusCode], ["ValidationError", 400]);
    await call("DeleteOpenIDConnectProvider", arn);
    await refused("NoSuchEntityException", 404, "GetOpenIDConnectProvider", arn);
  },

  async tags() {
    const RoleName = "js-tagged";
    await call("CreateRole", { RoleName, AssumeRolePolicyDocument: trust });
    await call("TagRole", { RoleName, Tags: [...team, { Key: "empty", Value: "" }] });
    const { Tags: listed } = await call("ListRoleTags", { RoleName });
    assert.deepEqual(Object.fromEntries(listed.map((one) => [one.Key, one.Value])), { team: "a=b @ ü", empty: "" });
    await call("UntagRole", { RoleName, TagKeys: ["empty"] });
    assert.deepEqual((await call("ListRoleTags", { RoleName })).Tags, team);
    await call("DeleteRole", { RoleName });
  },

  async accountAliasAndSummary() {
    await call("CreateAccountAlias", { AccountAlias: "js-alias" });
    assert.deepEqual((await call("ListAccountAliases")).AccountAliases, ["js-alias"]);
    await call("DeleteAccountAlias", { AccountAlias: "js-alias" });
    assert.deepEqual((await call("ListAccountAliases")).AccountAliases, []);
    const { SummaryMap: summary } = await call("GetAccountSummary");
    assert.equal(typeof summary.Users, "number");
  },

  async serviceLinkedRoles() {
    const input = { AWSServiceName: "autoscaling.amazonaws.com" };
    const { Role: role } = await call("CreateServiceLinkedRole", input);
    assert.equal(role.RoleName, "AWSServiceRoleForAutoScaling");
    assert.equal(role.Path, "/aws-service-role/autoscaling.amazonaws.com/");
    await refused("InvalidInputException", 400, "CreateServiceLinkedRole", input);
    await refused("UnmodifiableEntityException", 400, "DeleteRole", { RoleName: role.RoleName });
    const { DeletionTaskId } = await call("DeleteServiceLinkedRole", { RoleName: role.RoleName });
    const { Status } = await call("GetServiceLinkedRoleDeletionStatus", { DeletionTaskId });
    assert.equal(Status, "SUCCEEDED");
  },

  async simulation() {
    const secure = { Bool: { "aws:SecureTransport": "true" } };
    const put = document({ Effect: "Allow", Action: "s3:PutObject", Resource: "*", Condition: secure });
    const asked = { ActionNames: ["s3:GetObject", "s3:PutObject"], ResourceArns: ["arn:aws:s3:::b/k"] };
    const custom = await call("SimulateCustomPolicy", { PolicyInputList: [read, put], ...asked });
    assert.deepEqual(
      custom.EvaluationResults.map((one) => [one.EvalActionName, one.EvalDecision, one.MissingContextValues]),
      [["s3:GetObject", "allowed", []], ["s3:PutObject", "implicitDeny", ["aws:SecureTransport"]]],
    );
    const [matched] = custom.EvaluationResults[0].MatchedStatements;
    assert.equal(matched.SourcePolicyId, "PolicyInputList.1");
    const entry = {
      ContextKeyName: "aws:SecureTransport", ContextKeyType: "boolean", ContextKeyValues: ["true"],
    };
    const told = await call("SimulateCustomPolicy", { PolicyInputList: [put], ContextEntries: [entry], ...asked });
    assert.equal(told.EvaluationResults[1].EvalDecision, "allowed");
    const { User: user } = await call("CreateUser", { UserName: "js-simulated" });
    await call("PutUserPolicy", { UserName: "js-simulated", PolicyName: "read", PolicyDocument: read });
    const principal = await call("SimulatePrincipalPolicy", { PolicySourceArn: user.Arn, ...asked });
    assert.deepEqual(principal.EvaluationResults.map((one) => one.EvalDecision), ["allowed", "implicitDeny"]);
    const { ContextKeyNames: keys } = await call("GetContextKeysForCustomPolicy", { PolicyInputList: [put] });
    assert.deepEqual(keys, ["aws:SecureTransport"]);
    await call("DeleteUserPolicy", { UserName: "js-simulated", PolicyName: "read" });
    await call("DeleteUser", { UserName: "js-simulated" });
    await refused("NoSuchEntityException", 404, "SimulatePrincipalPolicy", { PolicySourceArn: user.Arn, ...asked });
  },

  async pages() {
    const names = Array.from({ length: 7 }, (_, index) => `js-page-${index}`);
    for (const UserName of names) await call("CreateUser", { UserName, Path: "/pages/" });
    const found = [];
    let pages = 0;
    for await (const page of sdk.paginateListUsers({ client: iam, pageSize: 3 }, { PathPrefix: "/pages/" })) {
      pages += 1;
      found.push(...page.Users.map((one) => one.UserName));
      assert.equal(page.IsTruncated, pages < 3);
    }
    assert.deepEqual([found, pages], [names, 3]);
    const detailed = [];
    for await (const page of sdk.paginateGetAccountAuthorizationDetails({ client: iam, pageSize: 2 }, { Filter: ["User"] })) {
      assert.ok(page.UserDetailList.length <= 2);
      detailed.push(...page.UserDetailList.map((one) => one.UserName));
    }
    assert.deepEqual(detailed.filter((name) => name.startsWith("js-page-")), names);
    for (const UserName of names) await call("DeleteUser", { UserName });
  },

  async authorizationDetails() {
    await call("CreateRole", { RoleName: "js-detail", AssumeRolePolicyDocument: trust });
    await call("PutRolePolicy", { RoleName: "js-detail", PolicyName: "read", PolicyDocument: read });
    const { RoleDetailList } = await call("GetAccountAuthorizationDetails", { Filter: ["Role"], MaxItems: 1000 });
    const role = RoleDetailList.find((one) => one.RoleName === "js-detail");
    assert.deepEqual(decode(role.AssumeRolePolicyDocument), JSON.parse(trust));
    assert.deepEqual(role.RolePolicyList.map((one) => [one.PolicyName, decode(one.PolicyDocument)]), [
      ["read", JSON.parse(read)],
    ]);
    assert.deepEqual([role.AttachedManagedPolicies, role.InstanceProfileList], [[], []]);
    await call("DeleteRolePolicy", { RoleName: "js-detail", PolicyName: "read" });
    await call("DeleteRole", { RoleName: "js-detail" });
  },

  async errors() {
    await call("CreateUser", { UserName: "js-twice" });
    const twice = await refused("EntityAlreadyExistsException", 409, "CreateUser", { UserName: "js-twice" });
    assert.equal(twice.message, "User with name js-twice already exists.");
    const missing = await refused("NoSuchEntityException", 404, "DeleteRole", { RoleName: "js-none" });
    assert.equal(missing.message, "The role with name js-none cannot be found.");
    for (const PolicyDocument of ["{", document({ Effect: "Allow", Action: "nothing", Resource: "*" })]) {
      const policy = { UserName: "js-twice", PolicyName: "p", PolicyDocument };
      await refused("MalformedPolicyDocumentException", 400, "PutUserPolicy", policy);
    }
    const RoleName = "js-malformed";
    await refused("MalformedPolicyDocumentException", 400, "CreateRole", { RoleName, AssumeRolePolicyDocument: read });
    await refused("NoSuchEntityException", 404, "GetRole", { RoleName });
    const invalid = await call("CreateUser", { UserName: "not a name" }).catch((thrown) => thrown);
    assert.deepEqual([invalid.name, invalid.$metadata.httpStatusCode], ["ValidationError", 400]);
    await call("DeleteUser", { UserName: "js-twice" });
  },
};

const outcome = {};
for (const [name, part] of Object.entries(parts)) {
  outcome[name] = await part().then(() => "passed", (thrown) => `${thrown.name}: ${thrown.stack}`);
}
console.log(JSON.stringify(outcome));
