// npm run demo:cluster  limits in a Redis Cluster while one of its primaries is killed under load; ends by itself, with
//                       exit code 0 only if no request failed and the limits held before and after
// REDIS_CLUSTER=127.0.0.1:7001,127.0.0.1:7002 npm run demo:cluster  on a cluster of yours, a primary of which is made to
//                       hand over instead
import { loadThrough } from '../shared/failover.js'
import { brokenIn, formatPhases } from '../shared/failover-table.js'
import { until } from '../shared/until.js'
import { clientsUpTo, findNodes, ownerOfFirstSlot } from './nodes.js'
import { buildServer, limit, mostGranted } from './server.js'

const clients = ['ada', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gus', 'hal', 'ivy']

const { redis, loss, losePrimary, stop } = await findNodes()
const apps = [await buildServer(redis), await buildServer(redis)]
const { owner: lost, lastSlot } = await ownerOfFirstSlot(redis.cluster)
const concerned = await clientsUpTo(redis.cluster, clients, lastSlot)
console.log(`Two instances, ${clients.length} clients of ${limit.max} requests in ${limit.timeWindow} each.
The primary on ${lost}, which has the limits of ${concerned.join(', ')}, ${loss}.\n`)

let heir = lost
const tallies = await loadThrough(apps, clients, async () => {
  await losePrimary()
  heir = await until('another primary', 30_000, async () => {
    const { owner } = await ownerOfFirstSlot(redis.cluster)
    return owner !== lost && owner
  })
})

console.log(formatPhases(tallies, mostGranted))
console.log(`\nNow ${heir} has those limits. Nothing was restarted.`)
await Promise.all(apps.map((app) => app.close()))
await stop()

const broken = brokenIn(tallies, mostGranted)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
