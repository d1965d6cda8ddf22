// informer.mjs KUBECONFIG NAMESPACE [STALE]: follows the namespace's ConfigMaps until standard input ends,
// and tells what it sees on standard output as one JSON object a line. With STALE, the version of the first
// list is replaced by this one, as if the program had been away since then.
import { CoreV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';

const [kubeconfig, namespace, stale] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const config = new KubeConfig();
config.loadFromFile(kubeconfig);
const api = config.makeApiClient(CoreV1Api);

let lists = 0;
const list = async () => {
  const found = await api.listNamespacedConfigMap({ namespace });
  lists += 1;
  if (stale && lists === 1) found.metadata.resourceVersion = stale;
  say({ event: 'list', names: found.items.map((item) => item.metadata.name) });
  return found;
};

// the API server itself ends each watch after two seconds
const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps?timeoutSeconds=2`, list);
for (const event of ['add', 'update', 'delete']) {
  informer.on(event, (item) => say({ event, name: item.metadata.name, data: item.data ?? {} }));
}
informer.on('connect', () => say({ event: 'watch' }));
informer.on('error', (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});

process.stdin.on('end', () => process.exit(0)).resume();
await informer.start();
