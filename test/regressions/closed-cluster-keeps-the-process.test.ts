// Closed while it asked the nodes for their slots, ioredis began to ask anew every second, and the process never ended.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startCluster } from '../fixtures/cluster.js'
import { startProxy } from '../fixtures/tcp-proxy.js'
import { until } from '../fixtures/until.js'

const CHILD = fileURLToPath(new URL('../fixtures/closing-cluster-service.js', import.meta.url))

t.test('a process that closes while a Cluster is asked for its slots ends by itself', async (t) => {
  const cluster = await startCluster(t)
  const proxies = await Promise.all(cluster.primaries.map(({ port }) => startProxy(t, port)))
  const natMap = Object.fromEntries(cluster.primaries.map(({ port }, i) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxies[i].port }]))
  const target = { cluster: proxies.map(({ port }) => ({ host: '127.0.0.1', port })), clusterOptions: { natMap } }
  const child = spawn(process.execPath, [CHILD, JSON.stringify(target)], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')

  // Whoever connects from now on is not answered; it is whoever asks for the slots, once a second.
  for (const { faults } of proxies) faults.isBlackhole = true
  const connections = () => proxies.reduce((count, proxy) => count + proxy.connections, 0)
  const before = connections()
  await until('a connection that asks for the slots', 10_000, () => connections() > before)
  child.stdin.end()
  const [code] = await until('the end of the process', 10_000, () => child.exitCode === null ? null : [child.exitCode])
  t.equal(code, 0)
})
