// npm run demo            serves, sends a burst of requests to itself, and goes on serving until Ctrl-C
// npm run demo -- --once  ends after the burst; exit code 0 only if the limits held
// PORT=8080 npm run demo  serves on another port (default 3000; 0 picks a free one)
import { retryWhenTold, sendBursts } from './burst.js'
import { buildServer } from './server.js'
import { formatRefusal, formatTable } from './table.js'

const port = Number(process.env.PORT ?? 3000)

const app = await buildServer()

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await app.close()
    process.exit()
  })
}

const origin = await app.listen({ port, host: '127.0.0.1' }).catch((error) => {
  console.error(`Cannot listen on port ${port} (${error.code}). Choose another: PORT=8080 npm run demo`)
  process.exit(1)
})

console.log(`Serving on ${origin}. Sending requests to it:\n`)
const outcomes = await sendBursts(origin)
console.log(formatTable(outcomes))

const broken = outcomes.flatMap(({ burst, broken }) => broken.map((what) => `${burst.method} ${burst.path}: ${what}`))

const login = outcomes.find(({ burst }) => burst.path === '/login')
if (login?.refusal) console.log(`\nA refused login reads:\n\n${formatRefusal(login.refusal)}`)

const search = outcomes.find(({ burst }) => burst.path === '/search')
if (search?.refusal) {
  const { waitedSeconds, status } = await retryWhenTold(origin, search)
  console.log(`\nGET /search again, after the ${waitedSeconds} s it was told to wait: ${status}`)
  if (status !== 200) broken.push('GET /search: refused although the client waited as told')
}

for (const line of broken) console.error(`\nNot as promised: ${line}`)

if (process.argv.includes('--once')) {
  await app.close()
  process.exitCode = broken.length > 0 ? 1 : 0
} else {
  console.log(`
Still serving. Try it yourself, a few times in a row:

  curl -i -X POST ${origin}/login
  curl -i ${origin}/search

What the limits do, in the browser:

  ${origin}/admin/rate-limit/page

Ctrl-C ends it.`)
}
