// npm run demo:monitoring  the service and its load, until Ctrl-C, for a Prometheus of yours; the whole stack is the profile
//                          "monitoring" of docker-compose.yml
// REDIS_URL=redis://127.0.0.1:6379 npm run demo:monitoring  on that Redis instead of one of its own
// PORT=8081 npm run demo:monitoring  on another port than 8080
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { findRedis } from '../fleet/redis.js'

/** @param {string} file @param {NodeJS.ProcessEnv} env */
function start (file, env) {
  return fork(fileURLToPath(new URL(file, import.meta.url)), { env: { ...process.env, ...env } })
}

const redis = await findRedis()
const service = start('serve.js', { REDIS_URL: redis.url })
const ended = once(service, 'exit').then(([code]) => { throw new Error(`the service ended with code ${code}`) })
const [origin] = await Promise.race([once(service, 'message'), ended])
const load = start('visit.js', { SERVICE_URL: String(origin) })

console.log(`The service is under load. Let Prometheus read ${origin}/metrics; Ctrl-C ends it.`)
console.log(`Without Prometheus, the operator page shows the last hour: ${origin}/admin/rate-limit/page`)

const asked = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await Promise.race([asked, ended]).catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
for (const child of [load, service]) {
  if (child.connected) child.disconnect()
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}
await redis.stop()
