package data

import (
	"reflect"
	"strings"
	"sync"
)

// member is a field of a struct as its JSON key.
type member struct {
	name      string
	index     []int
	omitEmpty bool
	isQuoted  bool
	isTagged  bool
	clashes   bool // with a field that has as good a claim to the key
}

var members sync.Map // reflect.Type -> []member

// membersOf follows the rules of encoding/json: tags, "-", omitempty, string, embedded structs.
func membersOf(kind reflect.Type) []member {
	if found, ok := members.Load(kind); ok {
		return found.([]member)
	}
	var found []member
	var named [][]int // embedded structs that have a name of their own: what is in them is not promoted
	for _, field := range reflect.VisibleFields(kind) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		isEmbedded := field.Anonymous && name == "" && elem(field.Type).Kind() == reflect.Struct
		if isInside(field.Index, named) || isEmbedded || field.PkgPath != "" || field.Tag.Get("json") == "-" {
			if field.Tag.Get("json") == "-" {
				named = append(named, field.Index)
			}
			continue
		}
		if field.Anonymous {
			named = append(named, field.Index)
		}
		isTagged := name != ""
		if !isTagged {
			name = field.Name
		}
		options = "," + options + ","
		found = append(found, member{
			name: name, index: field.Index, isTagged: isTagged,
			omitEmpty: strings.Contains(options, ",omitempty,"), isQuoted: strings.Contains(options, ",string,"),
		})
	}
	found = dominant(found)
	members.Store(kind, found)
	return found
}

// dominant leaves one field for each key, as encoding/json does: the outermost, then the tagged one. Where neither decides,
// the first stays, and the struct cannot be sent (clashes).
func dominant(all []member) []member {
	var kept []member
	at := map[string]int{}
	for _, each := range all {
		i, is := at[each.name]
		switch {
		case !is:
			at[each.name] = len(kept)
			kept = append(kept, each)
		case len(each.index) < len(kept[i].index) || len(each.index) == len(kept[i].index) && each.isTagged && !kept[i].isTagged:
			kept[i] = each
		case len(each.index) == len(kept[i].index) && each.isTagged == kept[i].isTagged:
			kept[i].clashes = true
		}
	}
	return kept
}

func elem(kind reflect.Type) reflect.Type {
	if kind.Kind() == reflect.Pointer {
		return kind.Elem()
	}
	return kind
}

func isInside(index []int, outer [][]int) bool {
	for _, prefix := range outer {
		if len(index) > len(prefix) && reflect.DeepEqual(index[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}
