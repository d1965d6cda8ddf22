// One JSON case a line in, one decision a line out: iam-simulate as a separate process.
// Arguments: its node_modules directory; "bench N" judges the corpus N times and prints decisions per CPU second.
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const [modules, mode, rounds] = process.argv.slice(2)
const load = (path) => import(pathToFileURL(join(modules, '@cloud-copilot', path)).href)
const { authorize } = await load('iam-simulate/dist/esm/core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await load('iam-simulate/dist/esm/request/request.js')
const { RequestContextImpl } = await load('iam-simulate/dist/esm/requestContext.js')
const { DiscoveryContextKeyConstraints } = await load('iam-simulate/dist/esm/context_keys/discoveryContextKeyConstraints.js')
const { loadPolicy } = await load('iam-policy/dist/esm/index.js')

const named = (documents, name) => (documents ?? []).map((d, i) => loadPolicy(d, { name: `${name}${i}` }))
const levels = (given, name) =>
  (given ?? []).map((documents, i) => ({ orgIdentifier: `${name}${i}`, policies: named(documents, name) }))

function read(c) {
  return {
    request: new AwsRequestImpl(
      c.principal, { resource: c.resource, accountId: c.account }, c.action, new RequestContextImpl(c.context)
    ),
    identityPolicies: named(c.identity, 'identity'),
    sessionPolicy: c.session ? loadPolicy(c.session, { name: 'session' }) : undefined,
    resourcePolicy: c.resource_policy ? loadPolicy(c.resource_policy, { name: 'resource' }) : undefined,
    permissionBoundaries: c.boundary ? named([c.boundary], 'boundary') : undefined,
    vpcEndpointPolicies: c.endpoint ? named([c.endpoint], 'endpoint') : undefined,
    serviceControlPolicies: levels(c.service_control, 'scp'),
    resourceControlPolicies: levels(c.resource_control, 'rcp'),
    simulationParameters: { simulationMode: 'Strict', discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) },
  }
}

const spelled = { Allowed: 'allowed', ExplicitlyDenied: 'explicitDeny', ImplicitlyDenied: 'implicitDeny' }
const requests = []
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const request = read(JSON.parse(line))
    if (mode === 'bench') requests.push(request)
    else console.log(JSON.stringify(spelled[authorize(request).result]))
  } catch (error) {
    console.log(JSON.stringify(`error: ${String(error)}`))
  }
}
if (mode === 'bench') {
  for (const request of requests) authorize(request)
  for (const request of requests) authorize(request)
  const start = process.cpuUsage()
  for (let round = 0; round < Number(rounds); round++) for (const request of requests) authorize(request)
  const used = process.cpuUsage(start)
  console.log(JSON.stringify((requests.length * Number(rounds) * 1e6) / (used.user + used.system)))
}
