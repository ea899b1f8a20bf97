"""The stage `corpus`: of the documents, one of each."""

from siku_manifests.stage import Phase, Stage

CORPUS = Stage(
    name="corpus",
    room="siku_dedup",
    help="Remove duplicates and split what stays into training and validation.",
    parents=("documents",),
    sections=("dedup", "decontaminate", "seed", "shard_bytes", "keep_dropped"),
    source_fields=("name", "profile", "priority", "snapshot"),
    libraries=("numpy", "OpenCC", "pyarrow", "regex", "xxhash"),
    phases=(
        Phase("count", "siku_dedup.boilerplate:plan_counting", "siku_dedup.boilerplate:count"),
        Phase("gather", "siku_dedup.boilerplate:plan_gathering", "siku_dedup.boilerplate:gather"),
        Phase("sign", "siku_dedup.inputs:plan_row_groups", "siku_dedup.build:sign"),
        Phase("cluster", "siku_dedup.build:plan_clustering", "siku_dedup.build:cluster_all"),
        Phase("spell", "siku_dedup.trimming:plan_spelling", "siku_dedup.trimming:spell"),
        Phase("search", "siku_dedup.trimming:plan_search", "siku_dedup.trimming:search"),
        Phase("write", "siku_dedup.inputs:plan_shards", "siku_dedup.division:write"),
    ),
    finish="siku_dedup.build:finish",
)
