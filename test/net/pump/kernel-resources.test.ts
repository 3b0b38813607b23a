import { testResources } from "./resources.ts";

testResources("kernel", 8 * 1024 * 1024);
