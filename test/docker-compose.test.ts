import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

const text = readFileSync('docker-compose.yml', 'utf8')

/** The services of each profile, and the ports that its comment tells. */
const PROFILES = {
  single: { services: ['redis'], ports: [6379] },
  sentinel: {
    services: ['primary', 'replica-1', 'replica-2', 'sentinel-1', 'sentinel-2', 'sentinel-3'],
    ports: [6380, 6381, 6382, 26379, 26380, 26381]
  },
  cluster: {
    services: ['cluster-init', 'node-1', 'node-2', 'node-3', 'node-4', 'node-5', 'node-6'],
    ports: [null, 7001, 7002, 7003, 7004, 7005, 7006]
  },
  // The load and the Redis have none.
  monitoring: { services: ['grafana', 'load', 'prometheus', 'service', 'service-redis'], ports: [3000, null, 9090, 8080, null] }
}

/** What only does its work, and is asked nothing. */
const WORKERS = ['cluster-init', 'load']

/** Pinned by their version, where a new one could break what is configured here; else by their major version. */
const IMAGES = ['grafana/grafana:12.3.1', 'node:22-alpine', 'prom/prometheus:v3.5.0', 'valkey/valkey:8-alpine']

/** The part of the file that declares one service. */
function declarationOf (service: string): string {
  return new RegExp(`^  ${service}:\n(?: {4}.*\n|\n)+`, 'm').exec(text)?.[0] ?? ''
}

for (const [profile, { services, ports }] of Object.entries(PROFILES)) {
  t.test(`the profile ${profile} has its servers, each with a health check, on fixed ports`, async (t) => {
    const declared = [...text.matchAll(/^ {2}([a-z0-9-]+):$/gm)].map(([, name]) => name)
      .filter((name) => declarationOf(name).includes(`profiles: [${profile}]`))
    t.strictSame(declared.sort(), services)
    services.forEach((service, i) => {
      const declaration = declarationOf(service)
      const port = ports[i]
      if (port !== null) t.match(declaration, `${port}`, `${service} listens on ${port}`)
      if (!WORKERS.includes(service)) t.match(declaration, 'healthcheck: ', `${service} has a health check`)
    })
  })
}

t.test('images are pinned, and what the services read from here is there', async (t) => {
  const images = Array.from(text.matchAll(/^ +image: (\S+)$/gm), ([, image]) => image)
  t.strictSame([...new Set(images)].sort(), IMAGES)
  const paths = [...text.matchAll(/- (\.\/[^:]+):/g), ...text.matchAll(/\[node, ([^\]]+)\]/g)].map(([, path]) => path)
  t.equal(paths.length, 6)
  for (const path of paths) t.ok(existsSync(path), path)
})

/** Compose as its own program, or as docker's. */
const compose = [['docker-compose'], ['docker', 'compose']].find(([program, ...args]) => spawnSync(program, [...args, 'version']).status === 0)

t.test('compose takes the file', { skip: compose === undefined && 'compose is not installed' }, async (t) => {
  const [program, ...args] = compose ?? []
  for (const profile of Object.keys(PROFILES)) {
    const { status, stderr } = spawnSync(program, [...args, '--profile', profile, 'config'], { encoding: 'utf8' })
    t.equal(status, 0, stderr)
  }
})
