// npm run demo:sentinel  limits behind Redis Sentinel while the primary is killed under load; ends by itself, with exit
//                        code 0 only if no request failed and the limits held before and after
// REDIS_SENTINELS=127.0.0.1:26379,127.0.0.1:26380 npm run demo:sentinel  on servers of yours, whose primary is told to
//                        hand over instead; REDIS_PRIMARY_NAME is what the sentinels call it (mymaster)
import { loadThrough } from '../shared/failover.js'
import { brokenIn, formatPhases } from '../shared/failover-table.js'
import { until } from '../shared/until.js'
import { findGroup, primaryOf } from './group.js'
import { buildServer, limit, mostGranted } from './server.js'

const clients = ['ada', 'bob', 'cyd', 'dan', 'eve', 'fay']

const group = await findGroup()
const apps = [await buildServer(group.redis), await buildServer(group.redis)]
const lost = await primaryOf(group.redis)
console.log(`Two instances, ${clients.length} clients of ${limit.max} requests in ${limit.timeWindow} each. The primary on ${lost} ${group.loss}.\n`)

const tallies = await loadThrough(apps, clients, async () => {
  await group.losePrimary()
  await until('another primary', 30_000, async () => await primaryOf(group.redis) !== lost)
})

console.log(formatPhases(tallies, mostGranted))
console.log(`\nNow the primary is ${await primaryOf(group.redis)}. Nothing was restarted.`)
await Promise.all(apps.map((app) => app.close()))
await group.stop()

const broken = brokenIn(tallies, mostGranted)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
