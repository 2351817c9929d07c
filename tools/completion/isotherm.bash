# Completion of isotherm's command line for bash, printed by: isotherm completion bash
_isotherm() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  local path='' word words='' flags='' files='' value=yes
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path:$word" in
      ':create') path='create' ;;
      ':import') path='import' ;;
      ':set') path='set' ;;
      ':delete') path='delete' ;;
      ':undelete') path='undelete' ;;
      ':search') path='search' ;;
      ':get') path='get' ;;
      ':scan') path='scan' ;;
      ':export') path='export' ;;
      ':stats') path='stats' ;;
      ':log') path='log' ;;
      ':versions') path='versions' ;;
      ':rollback') path='rollback' ;;
      ':branch') path='branch' ;;
      ':vacuum') path='vacuum' ;;
      ':erase') path='erase' ;;
      ':compact') path='compact' ;;
      ':verify') path='verify' ;;
      ':backup') path='backup' ;;
      ':restore') path='restore' ;;
      ':recover') path='recover' ;;
      ':ls') path='ls' ;;
      ':cp') path='cp' ;;
      ':bench') path='bench' ;;
      ':completion') path='completion' ;;
      'branch:create') path='branch create' ;;
      'branch:list') path='branch list' ;;
      'branch:delete') path='branch delete' ;;
      'branch:forward') path='branch forward' ;;
      'bench:cold') path='bench cold' ;;
      'bench:warm') path='bench warm' ;;
      'bench:insert') path='bench insert' ;;
      'bench:ingest') path='bench ingest' ;;
      'bench:upserts') path='bench upserts' ;;
      'bench:churn') path='bench churn' ;;
      'bench:memory') path='bench memory' ;;
      'bench:keys') path='bench keys' ;;
      'bench:kernels') path='bench kernels' ;;
    esac
  done
  case "$path:$before" in
    'create:--profile') words='s3 fixed20 none' ;;
    'create:--dimension') words='' ;;
    'create:--metric') words='l2 cosine ip' ;;
    'create:--key-type') words='int string' ;;
    'create:--filter-column') words='' ;;
    'import:--profile') words='s3 fixed20 none' ;;
    'import:--branch') words='' ;;
    'import:--ids') files=yes; words='' ;;
    'import:--first-key') words='' ;;
    'import:--metadata') files=yes; words='' ;;
    'import:--key-field') words='' ;;
    'import:--vector-field') words='' ;;
    'import:--payload-field') words='' ;;
    'import:--expiry-field') words='' ;;
    'import:--limit') words='' ;;
    'import:--metric') words='l2 cosine ip' ;;
    'import:--key-type') words='int string' ;;
    'import:--filter-column') words='' ;;
    'import:--batch') words='' ;;
    'set:--profile') words='s3 fixed20 none' ;;
    'set:--branch') words='' ;;
    'set:--field') words='' ;;
    'set:--remove') words='' ;;
    'set:--if-version') words='' ;;
    'delete:--profile') words='s3 fixed20 none' ;;
    'delete:--branch') words='' ;;
    'delete:--file') files=yes; words='' ;;
    'delete:--if-version') words='' ;;
    'undelete:--profile') words='s3 fixed20 none' ;;
    'undelete:--branch') words='' ;;
    'undelete:--file') files=yes; words='' ;;
    'search:--profile') words='s3 fixed20 none' ;;
    'search:--branch') words='' ;;
    'search:--as-of') words='' ;;
    'search:--cache-dir') files=yes; words='' ;;
    'search:--vector') words='' ;;
    'search:--query') files=yes; words='' ;;
    'search:--row') words='' ;;
    'search:-k') words='' ;;
    'search:--probes') words='' ;;
    'search:--rerank') words='' ;;
    'search:--out') files=yes; words='' ;;
    'search:--truth') files=yes; words='exact' ;;
    'get:--profile') words='s3 fixed20 none' ;;
    'get:--branch') words='' ;;
    'get:--as-of') words='' ;;
    'get:--cache-dir') files=yes; words='' ;;
    'scan:--profile') words='s3 fixed20 none' ;;
    'scan:--branch') words='' ;;
    'scan:--as-of') words='' ;;
    'scan:--limit') words='' ;;
    'export:--profile') words='s3 fixed20 none' ;;
    'export:--branch') words='' ;;
    'export:--as-of') words='' ;;
    'export:--format') words='' ;;
    'stats:--profile') words='s3 fixed20 none' ;;
    'stats:--branch') words='' ;;
    'stats:--as-of') words='' ;;
    'log:--profile') words='s3 fixed20 none' ;;
    'log:--branch') words='' ;;
    'log:-n') words='' ;;
    'versions:--profile') words='s3 fixed20 none' ;;
    'versions:--branch') words='' ;;
    'rollback:--profile') words='s3 fixed20 none' ;;
    'rollback:--branch') words='' ;;
    'branch create:--profile') words='s3 fixed20 none' ;;
    'branch create:--version') words='' ;;
    'branch create:--branch') words='' ;;
    'branch list:--profile') words='s3 fixed20 none' ;;
    'branch delete:--profile') words='s3 fixed20 none' ;;
    'branch forward:--profile') words='s3 fixed20 none' ;;
    'branch forward:--branch') words='' ;;
    'vacuum:--profile') words='s3 fixed20 none' ;;
    'vacuum:--branch') words='' ;;
    'vacuum:--keep-versions') words='' ;;
    'vacuum:--keep-age') words='' ;;
    'erase:--profile') words='s3 fixed20 none' ;;
    'erase:--file') files=yes; words='' ;;
    'erase:--by') words='' ;;
    'erase:--cache-dir') files=yes; words='' ;;
    'compact:--profile') words='s3 fixed20 none' ;;
    'compact:--branch') words='' ;;
    'compact:--scope') words='all policy' ;;
    'compact:--policy') words='size-tiered leveled' ;;
    'compact:--threshold') words='' ;;
    'compact:--memory') words='' ;;
    'compact:--cells') words='' ;;
    'compact:--seed') words='' ;;
    'verify:--profile') words='s3 fixed20 none' ;;
    'verify:--branch') words='' ;;
    'verify:--as-of') words='' ;;
    'backup:--branch') words='' ;;
    'backup:--version') words='' ;;
    'backup:--profile') words='s3 fixed20 none' ;;
    'restore:--version') words='' ;;
    'restore:--profile') words='s3 fixed20 none' ;;
    'recover:--profile') words='s3 fixed20 none' ;;
    'recover:--branch') words='' ;;
    'ls:--profile') words='s3 fixed20 none' ;;
    'ls:--branch') words='' ;;
    'ls:--as-of') words='' ;;
    'cp:--profile') words='s3 fixed20 none' ;;
    'bench cold:--profile') words='s3 fixed20 none' ;;
    'bench cold:--queries') files=yes; words='' ;;
    'bench cold:--first-row') words='' ;;
    'bench cold:-k') words='' ;;
    'bench cold:--probes') words='' ;;
    'bench cold:--rerank') words='' ;;
    'bench cold:--runs') words='' ;;
    'bench warm:--profile') words='s3 fixed20 none' ;;
    'bench warm:--cache-dir') files=yes; words='' ;;
    'bench warm:--queries') files=yes; words='' ;;
    'bench warm:--count') words='' ;;
    'bench warm:-k') words='' ;;
    'bench warm:--probes') words='' ;;
    'bench insert:--profile') words='s3 fixed20 none' ;;
    'bench insert:--dimension') words='' ;;
    'bench insert:--rows') words='' ;;
    'bench insert:--batch') words='' ;;
    'bench ingest:--profile') words='s3 fixed20 none' ;;
    'bench ingest:--dimension') words='' ;;
    'bench ingest:--rows') words='' ;;
    'bench ingest:--writers') words='' ;;
    'bench ingest:--batch') words='' ;;
    'bench ingest:--readers') words='' ;;
    'bench ingest:--pause') words='' ;;
    'bench ingest:--copies') words='' ;;
    'bench upserts:--dimension') words='' ;;
    'bench upserts:--keys') words='' ;;
    'bench upserts:--upserts') words='' ;;
    'bench upserts:--batch') words='' ;;
    'bench churn:--profile') words='s3 fixed20 none' ;;
    'bench churn:--dimension') words='' ;;
    'bench churn:--rows') words='' ;;
    'bench churn:--turnovers') words='' ;;
    'bench churn:--batch') words='' ;;
    'bench churn:--queries') words='' ;;
    'bench churn:--every') words='' ;;
    'bench churn:--policy') words='size-tiered leveled' ;;
    'bench memory:--profile') words='s3 fixed20 none' ;;
    'bench memory:--dimension') words='' ;;
    'bench memory:--size') words='' ;;
    'bench memory:--memory') words='' ;;
    'bench memory:--beyond') words='' ;;
    'bench memory:--searches') words='' ;;
    'bench keys:--profile') words='s3 fixed20 none' ;;
    'bench keys:--dimension') words='' ;;
    'bench keys:--keys') words='' ;;
    'bench keys:--upserts') words='' ;;
    'bench keys:--batch') words='' ;;
    'bench keys:--memory') words='' ;;
    'bench keys:--within') words='' ;;
    'bench kernels:--dimension') words='' ;;
    *) value='' ;;
  esac
  if [[ -z $value ]]; then
    case "$path" in
      '') words='create import set delete undelete search get scan export stats log versions rollback branch vacuum erase compact verify backup restore recover ls cp bench completion'; flags='-h --help --version' ;;
      'create') words=''; flags='-h --help --profile --dimension --metric --key-type --filter-column --json' ;;
      'import') words=''; flags='-h --help --profile --branch --ids --first-key --metadata --key-field --vector-field --payload-field --expiry-field --limit --create --metric --key-type --filter-column --upsert --batch --compact --no-compact --json' ;;
      'set') words=''; flags='-h --help --profile --branch --field --remove --if-version --json' ;;
      'delete') words=''; flags='-h --help --profile --branch --file --soft --if-version --json' ;;
      'undelete') words=''; flags='-h --help --profile --branch --file --json' ;;
      'search') words=''; flags='-h --help --profile --branch --as-of --cache-dir --vector --query --row -k --probes --rerank --exact --metadata --payload --partial --explain --out --truth --json' ;;
      'get') words=''; flags='-h --help --profile --branch --as-of --cache-dir --json' ;;
      'scan') words=''; flags='-h --help --profile --branch --as-of --sorted --vector --no-vector --metadata --no-metadata --payload --no-payload --row-version --soft-deleted --limit --json' ;;
      'export') words=''; flags='-h --help --profile --branch --as-of --format --sorted --partial --json' ;;
      'stats') words=''; flags='-h --help --profile --branch --as-of --json' ;;
      'log') words=''; flags='-h --help --profile --branch -n --json' ;;
      'versions') words=''; flags='-h --help --profile --branch --json' ;;
      'rollback') words=''; flags='-h --help --profile --branch --json' ;;
      'branch') words='create list delete forward'; flags='-h --help'; files=yes ;;
      'branch create') words=''; flags='-h --help --profile --json --version --branch' ;;
      'branch list') words=''; flags='-h --help --profile --json' ;;
      'branch delete') words=''; flags='-h --help --profile --json' ;;
      'branch forward') words=''; flags='-h --help --profile --json --branch' ;;
      'vacuum') words=''; flags='-h --help --profile --branch --keep-versions --keep-age --keep-soft-deleted --dry-run --json' ;;
      'erase') words=''; flags='-h --help --profile --file --by --break-leases --dry-run --cache-dir --json' ;;
      'compact') words=''; flags='-h --help --profile --branch --scope --policy --threshold --keep-cells --memory --cells --seed --json' ;;
      'verify') words=''; flags='-h --help --profile --branch --as-of --json' ;;
      'backup') words=''; flags='-h --help --branch --version --profile --json' ;;
      'restore') words=''; flags='-h --help --version --profile --json' ;;
      'recover') words=''; flags='-h --help --profile --branch --json' ;;
      'ls') words=''; flags='-h --help --profile --branch --as-of --json' ;;
      'cp') words=''; flags='-h --help --profile --json' ;;
      'bench') words='cold warm insert ingest upserts churn memory keys kernels'; flags='-h --help' ;;
      'bench cold') words=''; flags='-h --help --profile --queries --first-row -k --probes --rerank --runs --json' ;;
      'bench warm') words=''; flags='-h --help --profile --cache-dir --queries --count -k --probes --json' ;;
      'bench insert') words=''; flags='-h --help --profile --dimension --rows --batch --compact --json' ;;
      'bench ingest') words=''; flags='-h --help --profile --dimension --rows --writers --batch --readers --pause --copies --defer --no-compaction --json' ;;
      'bench upserts') words=''; flags='-h --help --dimension --keys --upserts --batch --json' ;;
      'bench churn') words=''; flags='-h --help --profile --dimension --rows --turnovers --batch --queries --every --policy --json' ;;
      'bench memory') words=''; flags='-h --help --profile --dimension --size --memory --beyond --searches --background --json' ;;
      'bench keys') words=''; flags='-h --help --profile --dimension --keys --upserts --batch --memory --within --no-compaction --json' ;;
      'bench kernels') words=''; flags='-h --help --dimension --json' ;;
      'completion') words='bash zsh fish'; flags='-h --help' ;;
    esac
    if [[ $current == -* ]]; then words=$flags; elif [[ -z $words ]]; then files=yes; fi
  fi
  COMPREPLY=()
  [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null || true
    local found
    mapfile -t found < <(compgen -f -- "$current")
    COMPREPLY+=("${found[@]}")
  fi
}
complete -F _isotherm isotherm
