import { families } from '../addresses.js'
import { buildApplication } from '../contestants/application.js'
import { NEVER_REACHED } from '../contestants/index.js'
import { seededRandom } from '../random.js'
import { startStopwatch } from '../stopwatch.js'
import { answer } from '../worker.js'
import { drive } from './drive.js'
import { FakeSocket } from './exchange.js'

// One contestant, driven without a network. Alone in its process, as in production: beside others the engine's
// caches of property look-ups in Fastify would overflow.
const [name, clients] = process.argv.slice(2)
const app = await buildApplication(name, NEVER_REACHED)
const random = seededRandom(1)

const sockets = {}
for (const [family, addressAt] of Object.entries(families)) {
  sockets[family] = Array.from({ length: Number(clients) }, (_, index) => new FakeSocket(addressAt(index)))
}

answer(async ({ family, requests }) => {
  const visits = Array.from({ length: requests }, () => sockets[family][random(sockets[family].length)])
  const stop = startStopwatch()
  const refused = await drive(app, visits)
  const { ns, wallNs } = stop()
  if (refused > 0) throw new Error(`${refused} of ${requests} requests were refused`)
  return { ns: ns / requests, wallNs: wallNs / requests }
})
