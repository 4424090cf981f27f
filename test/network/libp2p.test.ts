import { mesh } from "./nodes.ts"
import { suite } from "./suite.ts"

suite("libp2p", mesh)
