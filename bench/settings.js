/** Sizes of a full run, and of one that ends within two minutes. */
export const full = {
  http: { connections: 50, warmUpSeconds: 2, rounds: 21, seconds: 2, refusedRounds: 7 },
  inProcess: { clients: 1000, warmUpRounds: 10, rounds: 100, requests: 20_000 },
  checks: {
    warmUpRounds: 5,
    rounds: 60,
    checks: 20_000,
    keys: { IPv4: [1, 1000, 10_000, 100_000, 1_000_000], IPv6: [1, 1000, 10_000, 100_000, 1_000_000] }
  },
  growth: { keys: 1_000_000, runs: 5 },
  redis: { connections: 50, clients: 1000, warmUpSeconds: 1, leadInSeconds: 0.2, seconds: 1.5, roundsPerProcess: 4, rounds: 20, latencyRounds: 20, refusedRounds: 8, connectionRounds: 8, clusterRounds: 20 },
  lease: {
    connections: 50,
    warmUpSeconds: { memory: 8, leased: 8, exact: 3, fastifyRateLimit: 2, rateLimiterFlexible: 2 },
    leadInSeconds: 1.5,
    seconds: 1.5,
    roundsPerProcess: 2,
    rounds: 8,
    shortRounds: 4,
    takes: { warmUpRounds: 5, rounds: 15, takes: 50_000 }
  },
  start: { warmUpRounds: 2, rounds: 31 },
  simulate: { requests: 2_000_000, rounds: 5 },
  adaptive: { workers: 10, serviceMs: 20, perSecond: 800, premiumShare: 0.2, goodMs: 250, seconds: 10 }
}

export const quick = {
  http: { connections: 50, warmUpSeconds: 0.5, rounds: 3, seconds: 1, refusedRounds: 1 },
  inProcess: { clients: 1000, warmUpRounds: 5, rounds: 9, requests: 15_000 },
  checks: {
    warmUpRounds: 3,
    rounds: 7,
    checks: 20_000,
    keys: { IPv4: [1, 10_000, 1_000_000], IPv6: [1, 10_000] }
  },
  growth: { keys: 1_000_000, runs: 1 },
  redis: { connections: 50, clients: 1000, warmUpSeconds: 0.5, leadInSeconds: 0.1, seconds: 0.4, roundsPerProcess: 4, rounds: 4, latencyRounds: 2, refusedRounds: 1, connectionRounds: 0, clusterRounds: 1 },
  lease: {
    connections: 50,
    warmUpSeconds: { memory: 2, leased: 3.5, exact: 0.5, fastifyRateLimit: 0.5, rateLimiterFlexible: 0.5 },
    leadInSeconds: 0.5,
    seconds: 0.5,
    roundsPerProcess: 1,
    rounds: 1,
    shortRounds: 1,
    takes: { warmUpRounds: 3, rounds: 5, takes: 20_000 }
  },
  start: { warmUpRounds: 1, rounds: 7 },
  simulate: { requests: 300_000, rounds: 1 },
  adaptive: { workers: 10, serviceMs: 20, perSecond: 800, premiumShare: 0.2, goodMs: 250, seconds: 5 }
}
