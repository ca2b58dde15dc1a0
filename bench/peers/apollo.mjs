// Apollo Server on Fastify, with DataLoader; what it would report or cache for others is off.
// Run as DATABASE_URL=... PORT=... NODE_ENV=production node apollo.mjs
import { readFileSync } from 'node:fs'
import { ApolloServer } from '@apollo/server'
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginUsageReportingDisabled } from '@apollo/server/plugin/disabled'
import fastifyApollo, { fastifyApolloDrainPlugin } from '@as-integrations/fastify'
import DataLoader from 'dataloader'
import Fastify from 'fastify'
import * as batches from './batches.mjs'
import { resolvers } from './resolvers.mjs'
import { serve } from './serve.mjs'

/** The loaders of one request, made when they are first needed. */
class Loaders {
  #made = new Map()

  of (name, none = null, limit = undefined) {
    const key = limit === undefined ? name : `${name}_${limit}`
    let loader = this.#made.get(key)
    if (loader === undefined) {
      loader = new DataLoader(async ids => {
        const found = await batches[name](ids, limit)
        return ids.map(id => found.get(id) ?? none)
      })
      this.#made.set(key, loader)
    }
    return loader
  }
}

const follow = (name, key) => (row, _, { loaders }) => row[key] === null ? null : loaders.of(name).load(row[key])
const count = name => (row, _, { loaders }) => loaders.of(name, 0).load(row.id)
const list = name => (row, { limit }, { loaders }) => loaders.of(name, [], limit).load(row.id)

const app = Fastify({ logger: false })
const server = new ApolloServer({
  typeDefs: readFileSync(new URL('schema.graphql', import.meta.url), 'utf8'),
  resolvers: {
    ...resolvers,
    Company: {
      contactCount: count('contactCounts'),
      dealsValue: count('dealValues'),
      deals: list('dealsOfCompanies'),
      contacts: list('contactsOfCompanies')
    },
    Deal: {
      company: follow('companies', 'companyId'),
      contact: follow('contacts', 'contactId'),
      stage: follow('stages', 'stageId'),
      owner: follow('users', 'ownerId')
    },
    Activity: {
      company: follow('companies', 'companyId'),
      deal: follow('deals', 'dealId')
    }
  },
  introspection: false,
  plugins: [
    fastifyApolloDrainPlugin(app),
    ApolloServerPluginCacheControlDisabled(),
    ApolloServerPluginUsageReportingDisabled()
  ]
})
await server.start()
app.register(fastifyApollo(server), { context: async () => ({ loaders: new Loaders() }) })
await serve(app)
