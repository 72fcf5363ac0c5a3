// The process of each test file of @fastify/rate-limit loads this file first. There, the plugin is the built
// `fastify-sluice/compat`, the packages are those of this repository, and Redis is the server that run.js started.
'use strict'

const Module = require('node:module')
const { join, sep } = require('node:path')
const { afterEach, mock } = require('node:test')
const { Redis } = require('ioredis')

const { ORIGINAL_FOLDER, ORIGINAL_REDIS_PORT } = process.env
const compat = require.resolve('fastify-sluice/compat')
const resolveFilename = Module._resolveFilename

Module._resolveFilename = function (request, parent, ...rest) {
  if (!parent?.filename?.startsWith(ORIGINAL_FOLDER + sep)) return resolveFilename.call(this, request, parent, ...rest)
  const isPath = request.startsWith('.')
  try {
    const filename = resolveFilename.call(this, request, isPath ? parent : module, ...rest)
    return filename === join(ORIGINAL_FOLDER, 'index.js') ? compat : filename
  } catch (cause) {
    throw isPath ? cause : new Error(`the test needs the package ${request}, which this repository does not install`, { cause })
  }
}

// The tests connect to the default port. They empty the server, which must not be a server of the developer.
Redis.defaultOptions.port = Number(ORIGINAL_REDIS_PORT)

// A test that fails does not restore its mocked timers, and the next tests would fail too.
afterEach(() => { mock.timers.reset() })
