// Mercurius on Fastify, with its JIT and its loaders.
// Run as DATABASE_URL=... PORT=... NODE_ENV=production node mercurius.mjs
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import * as batches from './batches.mjs'
import { resolvers } from './resolvers.mjs'
import { serve } from './serve.mjs'

// Its cache of answers knows a key by the JSON of the whole parent, which costs more than it saves: the batches look for
// keys that come twice themselves.
const opts = { cache: false }

const follow = (batch, key, none = null) => ({
  async loader (queries) {
    const found = await batch(queries.map(({ obj }) => obj[key]))
    return queries.map(({ obj }) => found.get(obj[key]) ?? none)
  },
  opts
})

const list = batch => ({
  async loader (queries) {
    const found = new Map()
    for (const limit of new Set(queries.map(({ params }) => params.limit))) {
      const ids = queries.filter(({ params }) => params.limit === limit).map(({ obj }) => obj.id)
      found.set(limit, batch(ids, limit))
    }
    return Promise.all(queries.map(async ({ obj, params }) => (await found.get(params.limit)).get(obj.id) ?? []))
  },
  opts
})

const loaders = {
  Company: {
    contactCount: follow(batches.contactCounts, 'id', 0),
    dealsValue: follow(batches.dealValues, 'id', 0),
    deals: list(batches.dealsOfCompanies),
    contacts: list(batches.contactsOfCompanies)
  },
  Deal: {
    company: follow(batches.companies, 'companyId'),
    contact: follow(batches.contacts, 'contactId'),
    stage: follow(batches.stages, 'stageId'),
    owner: follow(batches.users, 'ownerId')
  },
  Activity: {
    company: follow(batches.companies, 'companyId'),
    deal: follow(batches.deals, 'dealId')
  }
}

const app = Fastify({ logger: false })
const schema = readFileSync(new URL('schema.graphql', import.meta.url), 'utf8')
app.register(mercurius, { schema, resolvers, loaders, jit: 1, graphiql: false })
await serve(app)
