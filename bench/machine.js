import { readFileSync } from 'node:fs'
import os from 'node:os'

const PACKAGES = ['fastify', '@fastify/rate-limit', 'rate-limiter-flexible', 'ioredis', 'autocannon']

/** What the figures were measured on. */
export function describeMachine () {
  const cpus = os.cpus()
  return {
    cpu: cpus[0].model,
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    loadAverage: os.loadavg()[0],
    node: process.version,
    v8: process.versions.v8,
    packages: {
      'fastify-sluice': versionAt('../package.json'),
      ...Object.fromEntries(PACKAGES.map((name) => [name, versionAt(`../node_modules/${name}/package.json`)]))
    }
  }
}

function versionAt (path) {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version
}
