// The resolvers that both Node servers share: the roots and the dashboard, which need no loader.
import { ask } from './database.mjs'

const sum = (stages, column) => stages.reduce((total, stage) => total + stage[column], 0)
const amount = stages => Math.round(sum(stages, 'value') * 100) / 100
const cursor = company => Buffer.from(JSON.stringify([company.sortKey, company.id])).toString('base64url')

export const resolvers = {
  Query: {
    async companies (_, { ownerId, limit }) {
      const found = await ask('companies_of_owner', [ownerId], limit + 1)
      const edges = found.slice(0, limit).map(node => ({ node }))
      const endCursor = edges.length ? cursor(edges.at(-1).node) : null
      return { edges, pageInfo: { hasNextPage: found.length > limit, endCursor } }
    },
    async deal (_, { id }) {
      return (await ask('deals', [[id]]))[0] ?? null
    },
    dashboard (_, { ownerId, timeZone }) {
      // Two parts of the dashboard need the pipeline; whichever comes first asks for it.
      let stages = null
      return { ownerId, timeZone, stages: () => (stages ??= ask('pipeline', [ownerId])), generatedAt: new Date().toISOString() }
    }
  },
  CompanyEdge: { cursor: edge => cursor(edge.node) },
  Dashboard: {
    overview: dashboard => dashboard,
    recent: dashboard => dashboard,
    async pipeline (dashboard) {
      const stages = await dashboard.stages()
      const total = sum(stages, 'count')
      return stages.map(stage => ({
        stage,
        count: stage.count,
        value: stage.value,
        weightedValue: stage.weightedValue,
        share: total ? stage.count / total : 0
      }))
    }
  },
  Overview: {
    async deals (dashboard) {
      const stages = await dashboard.stages()
      const won = stages.filter(stage => stage.isWon)
      const closed = sum(stages.filter(stage => stage.isWon || stage.isLost), 'count')
      return {
        total: sum(stages, 'count'),
        pipelineValue: amount(stages.filter(stage => !stage.isWon && !stage.isLost)),
        wonValue: amount(won),
        winRate: closed ? sum(won, 'count') / closed : null
      }
    },
    activities: async ({ ownerId, timeZone }) => (await ask('activities_counted', [ownerId, timeZone]))[0],
    companies: async ({ ownerId }) => (await ask('companies_counted', [ownerId]))[0]
  },
  Recent: {
    activities: ({ ownerId }, { limit }) => ask('latest_activities', [ownerId], limit),
    tasks: ({ ownerId }, { limit }) => ask('open_tasks', [ownerId], limit)
  }
}
