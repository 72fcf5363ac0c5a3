import fastify from 'fastify'

// One start, in a process of its own. An application has loaded Fastify before a plugin, and with it most of Node.js's modules.
const [name] = process.argv.slice(2)

function cpuMs (since) {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

const cpuBefore = process.cpuUsage()
const startMs = performance.now()
const plugin = name === 'none' ? null : (await import(name)).default
const importMs = performance.now() - startMs
const importCpuMs = cpuMs(cpuBefore)

const app = fastify()
if (plugin !== null) await app.register(plugin, { max: 100, timeWindow: '1 minute' })
app.get('/', async () => 'hello')
const { statusCode, headers } = await app.inject('/')
if (statusCode !== 200 || (plugin !== null && headers['x-ratelimit-remaining'] !== '99')) throw new Error(`${name} does not limit`)
// The whole process, with Node.js and Fastify.
console.log(JSON.stringify({ importMs, importCpuMs, cpuMs: cpuMs(), residentMiB: process.memoryUsage.rss() / 2 ** 20 }))
